/**
 * Refresh tokens: 48 opaque bytes, of which the database only ever sees hashes.
 *
 * The first 16 bytes are the session's lineage and stay the same for its life; the other 32 change at each rotation.
 * So every token that a session ever had is recognised as its own, however old, and nobody who has not held one can
 * name the session. A token's successor is an HMAC of it: rotating the same token again, because the answer got lost
 * or because two tabs asked at once, gives the same successor and not a second branch.
 */
import { createHash, createHmac, createSecretKey, hkdfSync, randomBytes } from 'node:crypto';

/** A token with what is stored of it: SHA-256 of its lineage and of the whole. */
export interface RefreshToken {
  readonly text: string;
  readonly lineageHash: Buffer;
  readonly hash: Buffer;
}

/** Makes, reads and succeeds tokens. */
export interface RefreshTokens {
  create(): RefreshToken;
  /** @returns `undefined` for a text that cannot be a token. */
  parse(text: string): RefreshToken | undefined;
  /** The token that takes this one's place; always the same one. */
  successorOf(token: RefreshToken): RefreshToken;
}

const lineageBytes = 16;
const secretBytes = 32;
/** 48 bytes in base64url: no padding, and one spelling only. */
const tokenText = /^[A-Za-z0-9_-]{64}$/;

/** @param secret of the service; the key that chains tokens is derived from it (HKDF, RFC 5869). */
export function createRefreshTokens(
  { random = randomBytes }: { readonly random?: (bytes: number) => Buffer },
  { secret }: { readonly secret: string },
): RefreshTokens {
  const derived = hkdfSync('sha256', secret, '', 'sluice refresh token succession', 32);
  const key = createSecretKey(Buffer.from(derived));
  return {
    create: () => describe(random(lineageBytes + secretBytes)),
    parse: (text) => (tokenText.test(text) ? describe(Buffer.from(text, 'base64url')) : undefined),
    successorOf({ text }) {
      const bytes = Buffer.from(text, 'base64url');
      const next = createHmac('sha256', key).update(bytes).digest();
      return describe(Buffer.concat([bytes.subarray(0, lineageBytes), next]));
    },
  };
}

function describe(bytes: Buffer): RefreshToken {
  return {
    text: bytes.toString('base64url'),
    lineageHash: sha256(bytes.subarray(0, lineageBytes)),
    hash: sha256(bytes),
  };
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
