/**
 * Who a request is counted as: the socket's address, or the one that a trusted proxy reports, in one canonical form.
 *
 * Two spellings of one address must never give two quotas, and two clients should not share one: IPv4-mapped IPv6
 * (by its bits, not its notation) counts as IPv4, NAT64 as the IPv4 address inside, IPv6 by network, since one client
 * commonly owns a whole /64. Teredo keeps the client in its low bits, so there the whole address counts.
 */
import type { IncomingMessage } from 'node:http';
import ipaddr from 'ipaddr.js';
import proxyaddr from 'proxy-addr';
import type { TrustedProxies } from '../config/trustedProxies.ts';

/** Where a request without a usable address is counted: together, never not at all. */
export const unknownClient = 'unknown';

/** What proxy-addr asks: is the `hop`th address, seen from us, a proxy of ours? */
export type TrustFunction = (address: string, hop: number) => boolean;

/** Compiles TRUST_PROXY; also fit for Express's `trust proxy` setting. */
export function trustFunction(proxies: TrustedProxies): TrustFunction {
  if (proxies.by === 'hops') return (_address, hop) => hop < proxies.hops;
  return proxyaddr.compile([...proxies.ranges]);
}

/** Makes the function from request to client key. */
export function createClientKey({
  trusted,
  ipv6Prefix,
}: {
  trusted: TrustFunction;
  ipv6Prefix: number;
}): (request: IncomingMessage) => string {
  return (request) => {
    const socketAddress = request.socket.remoteAddress;
    // Without X-Forwarded-For there is nothing to weigh; this is the common case and the fast one.
    if (request.headers['x-forwarded-for'] === undefined) return canonicalClient(socketAddress, ipv6Prefix);
    if (socketAddress === undefined) return unknownClient;
    return canonicalClient(proxyaddr(request, trusted), ipv6Prefix);
  };
}

/** The one key for all spellings of a client's address; {@link unknownClient} for what is not an address. */
export function canonicalClient(text: string | undefined, ipv6Prefix: number): string {
  if (text === undefined) return unknownClient;
  const address = parseAddress(text);
  if (address === undefined) return unknownClient;
  if (address.kind() === 'ipv4') return address.toString();
  const v6 = address as ipaddr.IPv6;
  switch (v6.range()) {
    case 'rfc6052':
      return embeddedIPv4(v6);
    case 'teredo':
      return v6.toString();
    default:
      return v6.range() === 'loopback' ? v6.toString() : network(v6, ipv6Prefix);
  }
}

/** Accepts what proxies really write: `1.2.3.4:5678` (Azure), `[::1]:80`, zone ids (`fe80::1%eth0`). */
function parseAddress(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  const bare = text
    .trim()
    .replace(/^\[([^\]]*)\](?::\d+)?$/, '$1')
    .replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1')
    .replace(/%.*$/, '');
  // Four decimal parts only: `0x7f.1` and `127.1` are spellings that no proxy writes and an attacker might.
  if (ipaddr.IPv4.isValidFourPartDecimal(bare)) return ipaddr.IPv4.parse(bare);
  if (!ipaddr.IPv6.isValid(bare)) return undefined;
  return ipaddr.process(bare);
}

function embeddedIPv4(address: ipaddr.IPv6): string {
  return new ipaddr.IPv4(address.toByteArray().slice(12)).toString();
}

function network(address: ipaddr.IPv6, prefix: number): string {
  const bytes = address.toByteArray().map((byte, index) => {
    const bits = Math.min(Math.max(prefix - index * 8, 0), 8);
    return byte & (0xff << (8 - bits)) & 0xff;
  });
  return `${new ipaddr.IPv6(bytes).toString()}/${prefix}`;
}
