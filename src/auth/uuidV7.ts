/** UUIDs whose order is their age (RFC 9562 section 5.7), so that new rows land together in an index. */
import { randomBytes } from 'node:crypto';

/** What {@link uuidV7} is made from. `clock` in ms since the epoch. */
export interface UuidDeps {
  readonly clock?: () => number;
  readonly random?: (bytes: number) => Buffer;
}

/** A version 7 UUID: 48 bits of time in ms, then 74 random bits. */
export function uuidV7({ clock = Date.now, random = randomBytes }: UuidDeps = {}): string {
  const bytes = random(16);
  bytes.writeUIntBE(Math.floor(clock()), 0, 6);
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** True for a UUID of any version, in lower case. */
export function isUuid(text: unknown): text is string {
  return typeof text === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
}
