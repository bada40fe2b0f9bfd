/** Reads TRUST_PROXY: whose X-Forwarded-For is believed. */
import ipaddr from 'ipaddr.js';

/** Trusted by address (`ranges`, in proxy-addr's notation) or by position (`hops` proxies in front). */
export type TrustedProxies =
  { readonly by: 'range'; readonly ranges: readonly string[] } | { readonly by: 'hops'; readonly hops: number };

const names = new Set(['loopback', 'linklocal', 'uniquelocal']);

/**
 * Trusting everyone would let any client choose its own address with one header, so that is refused.
 * @throws {Error} naming the entry and the fix.
 */
export function trustedProxies(entries: readonly string[]): TrustedProxies {
  const [first] = entries;
  if (entries.length === 1 && first !== undefined && /^[1-9]$/.test(first)) return { by: 'hops', hops: Number(first) };
  return { by: 'range', ranges: entries.map(checkRange) };
}

function checkRange(entry: string): string {
  if (names.has(entry)) return entry;
  if (/^(true|all|\*|.*\/0)$/i.test(entry)) {
    throw new Error(
      `"${entry}" would trust every client's X-Forwarded-For; name your proxies, e.g. 10.0.0.0/8, or their number, e.g. 1`,
    );
  }
  if (ipaddr.isValid(entry) || ipaddr.isValidCIDR(entry)) return entry;
  throw new Error(
    `"${entry}" is not an address, a CIDR range, loopback, linklocal, uniquelocal, or a number from 1 to 9`,
  );
}
