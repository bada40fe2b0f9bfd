/**
 * Email addresses: one function decides, at every boundary, what is an address and which two are the same.
 *
 * Dots and `+tags` in the local part are kept: whether they matter is for the mail provider to say.
 */
import { domainToASCII, domainToUnicode } from 'node:url';

/** An address as typed (outer white space removed), and the form in which it is compared and unique. */
export interface EmailAddress {
  readonly email: string;
  readonly canonical: string;
}

/** Longest address that SMTP can carry, in bytes (RFC 5321 section 4.5.3.1.3, less the angle brackets). */
export const maxEmailBytes = 254;

const maxLocalPartBytes = 64;
// No quotes, no comments, and nothing invisible (\p{C}: control and format characters, lone surrogates).
const localPart = /^[^\s\p{C}@"(),:;<>[\]\\]+$/u;
// Checked before domainToASCII, which would also decode `%61` and read `0x7f.1` as an address.
const domainAsTyped = /^[\p{L}\p{M}\p{N}.。．｡-]+$/u;
const domainLabel = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Parses an address. Canonical: trimmed, NFC, lower case, the domain in its ASCII form (IDNA, by the WHATWG URL rules).
 * @returns `undefined` for what is not an address; never throws.
 */
export function parseEmail(text: string): EmailAddress | undefined {
  const email = text.trim();
  const at = email.lastIndexOf('@');
  if (at < 1 || Buffer.byteLength(email) > maxEmailBytes) return undefined;
  const local = email.slice(0, at).normalize('NFC').toLowerCase().normalize('NFC');
  const domain = canonicalDomain(email.slice(at + 1));
  if (domain === undefined || !isLocalPart(local)) return undefined;
  const canonical = `${local}@${domain}`;
  return Buffer.byteLength(canonical) > maxEmailBytes ? undefined : { email, canonical };
}

function isLocalPart(local: string): boolean {
  return (
    localPart.test(local) &&
    Buffer.byteLength(local) <= maxLocalPartBytes &&
    !local.startsWith('.') &&
    !local.endsWith('.') &&
    !local.includes('..')
  );
}

function canonicalDomain(typed: string): string | undefined {
  if (!domainAsTyped.test(typed)) return undefined;
  const domain = domainToASCII(typed.normalize('NFC')).toLowerCase();
  const labels = domain.split('.');
  // Punycode that stands for nothing: Node 24 passes it on, older ones refuse it.
  const isReal = !/(^|\.)xn--/.test(domainToUnicode(domain));
  const isName = isReal && labels.length > 1 && labels.every((label) => domainLabel.test(label));
  // A numeric last label would be an IP address (or read as one), which no mailbox has without brackets.
  return isName && !/^\d+$/.test(labels.at(-1) ?? '') ? domain : undefined;
}
