/**
 * Access tokens: JWTs signed with HS256 in the profile of RFC 9068, checked as RFC 8725 asks.
 *
 * The key is a KeyObject made once: jsonwebtoken with a string secret takes up to fifty times as long to verify.
 */
import { createSecretKey, randomUUID } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { SluiceError } from '../errors.ts';
import { isUuid } from './uuidV7.ts';

/** Whose token, and from which session. */
export interface TokenSubject {
  readonly userId: string;
  readonly sessionId: string;
}

/** What a good token says. */
export interface VerifiedToken extends TokenSubject {
  readonly tokenId: string;
}

/** How tokens are made. */
export interface AccessTokenOptions {
  /** At least 32 bytes (RFC 7518 section 3.2). */
  readonly secret: string;
  readonly issuer: string;
  readonly audience: string;
  readonly ttlSeconds: number;
}

/** What tokens depend on. */
export interface AccessTokenDeps {
  /** Milliseconds since the epoch. */
  readonly clock?: () => number;
  readonly newTokenId?: () => string;
}

/** Issues and verifies. */
export interface AccessTokens {
  /** `expiresIn` in s. */
  issue(subject: TokenSubject): { readonly accessToken: string; readonly expiresIn: number };
  /** @throws {SluiceError} `invalid_token`, with the challenge of RFC 6750 section 3. */
  verify(token: string): VerifiedToken;
}

const algorithm = 'HS256';
const tokenType = 'at+jwt';
/** How far the clocks of two instances may be apart, in s. */
const clockToleranceSeconds = 5;
/** Longer texts are refused unread; a token has about 400 characters. */
const maxTokenLength = 4096;

/** The answer to a token that cannot be accepted. */
export function invalidToken(detail: string): SluiceError {
  return new SluiceError('invalid_token', { detail, headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' } });
}

/**
 * Makes the issuer and verifier of access tokens.
 * @throws {RangeError} when the secret is shorter than 32 bytes.
 */
export function createAccessTokens(
  { clock = Date.now, newTokenId = randomUUID }: AccessTokenDeps,
  { secret, issuer, audience, ttlSeconds }: AccessTokenOptions,
): AccessTokens {
  if (Buffer.byteLength(secret) < 32) throw new RangeError('the secret of access tokens needs at least 32 bytes');
  const key = createSecretKey(secret, 'utf8');
  const nowSeconds = (): number => Math.floor(clock() / 1000);

  return {
    issue({ userId, sessionId }) {
      const iat = nowSeconds();
      const claims = {
        iss: issuer,
        aud: audience,
        sub: userId,
        sid: sessionId,
        jti: newTokenId(),
        iat,
        exp: iat + ttlSeconds,
      };
      return {
        accessToken: jwt.sign(claims, key, { algorithm, header: { alg: algorithm, typ: tokenType } }),
        expiresIn: ttlSeconds,
      };
    },

    verify(token) {
      if (token.length > maxTokenLength) throw invalidToken('The access token is not valid.');
      const now = nowSeconds();
      const { header, payload } = checkSignatureAndClaims(token, now);
      if (!isOurHeader(header) || typeof payload === 'string') throw invalidToken('The access token is not valid.');
      const { sub, sid, jti, iat, exp, aud } = payload as Record<string, unknown>;
      const isOurs =
        isUuid(sub) &&
        isUuid(sid) &&
        typeof jti === 'string' &&
        jti !== '' &&
        Number.isInteger(exp) &&
        Number.isInteger(iat) &&
        (iat as number) <= now + clockToleranceSeconds &&
        aud === audience;
      if (!isOurs) throw invalidToken('The access token is not valid.');
      return { userId: sub, sessionId: sid, tokenId: jti };
    },
  };

  function checkSignatureAndClaims(token: string, now: number): jwt.Jwt {
    try {
      return jwt.verify(token, key, {
        algorithms: [algorithm],
        issuer,
        audience,
        clockTimestamp: now,
        clockTolerance: clockToleranceSeconds,
        complete: true,
      });
    } catch (error) {
      const expired = error instanceof jwt.TokenExpiredError;
      throw invalidToken(expired ? 'The access token has expired.' : 'The access token is not valid.');
    }
  }
}

/** The type keeps other JWTs of the same key out; a critical extension (`crit`) that is not understood must be refused. */
function isOurHeader(header: jwt.JwtHeader): boolean {
  return header.typ?.toLowerCase() === tokenType && !('crit' in header);
}
