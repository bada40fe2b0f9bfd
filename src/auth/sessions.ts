/**
 * Sessions: one a login, kept alive by refresh tokens that rotate (RFC 9700 section 4.14.2).
 *
 * Invariants:
 * - A session has one current refresh token. Rotating makes its successor current; for `graceSeconds` the one before
 *   still works and gives the same successor again, so that a lost answer or two requests at once lock nobody out.
 * - Any older token means that somebody has a copy: the session ends at once, for both holders.
 * - Each transition is one SQL statement; the clock is the database's, so instances need not agree on the time.
 * - `expiresAt` is absolute: rotation never extends a session.
 * - Rows are bounded: a login deletes the user's expired sessions and those beyond the newest `maxSessionsPerUser`.
 *
 * When Postgres fails: `database_unavailable` and the like, and nothing is lost, since every statement may be repeated.
 */
import { SluiceError } from '../errors.ts';
import type { Queryable } from '../postgres/queryable.ts';
import type { SessionsRepository } from '../postgres/sessionsRepository.ts';
import { invalidToken } from './accessTokens.ts';
import type { RefreshTokens } from './refreshTokens.ts';
import { uuidV7 } from './uuidV7.ts';

/** A session as its client gets it. */
export interface SessionGrant {
  readonly userId: string;
  readonly sessionId: string;
  readonly refreshToken: string;
}

/** How long sessions live. */
export interface SessionOptions {
  /** Life of a session in s. */
  readonly ttlSeconds: number;
  /** How long the token before the current one still works, in s; 10 unless given. */
  readonly graceSeconds?: number;
  /** The oldest sessions beyond this number end at the next login; 100 unless given. */
  readonly maxSessionsPerUser?: number;
}

/** What sessions depend on. */
export interface SessionDeps {
  readonly repository: SessionsRepository;
  readonly refreshTokens: RefreshTokens;
  readonly newId?: () => string;
  /** Told when a rotated token came back and its session was ended. */
  readonly onReuse?: (session: { readonly userId: string; readonly sessionId: string }) => void;
}

/** See the head of this file. */
export interface Sessions {
  /**
   * Starts a session for who has just authenticated.
   * @throws {SluiceError} `invalid_credentials` when the password was changed since it was verified.
   */
  start(
    account: { readonly id: string; readonly passwordChangedAt: Date },
    signal?: AbortSignal,
  ): Promise<SessionGrant>;
  /** @throws {SluiceError} `invalid_token` for an unknown, expired or reused token. */
  rotate(refreshToken: string, signal?: AbortSignal): Promise<SessionGrant>;
  /** Ends the session that the token belongs to; a token that belongs to none changes nothing. */
  revoke(refreshToken: string, signal?: AbortSignal): Promise<void>;
  /** Ends the user's sessions but one; as part of `transaction` where one is given. */
  revokeOthers(userId: string, exceptSessionId: string, transaction?: Queryable): Promise<void>;
  isLive(sessionId: string, signal?: AbortSignal): Promise<boolean>;
}

/** Makes the sessions of one service. */
export function createSessions(
  { repository, refreshTokens, newId = uuidV7, onReuse = () => undefined }: SessionDeps,
  { ttlSeconds, graceSeconds = 10, maxSessionsPerUser = 100 }: SessionOptions,
): Sessions {
  return {
    async start({ id: userId, passwordChangedAt }, signal) {
      const token = refreshTokens.create();
      const sessionId = newId();
      const session = { id: sessionId, userId, lineageHash: token.lineageHash, currentHash: token.hash };
      const started = await repository.insert(session, { passwordChangedAt, ttlSeconds, maxSessionsPerUser }, signal);
      if (!started) throw new SluiceError('invalid_credentials', { headers: { 'WWW-Authenticate': 'Bearer' } });
      return { userId, sessionId, refreshToken: token.text };
    },

    async rotate(refreshToken, signal) {
      const token = refreshTokens.parse(refreshToken);
      if (token === undefined) throw invalidRefreshToken();
      const next = refreshTokens.successorOf(token);
      const rotated = await repository.rotate({ ...token, nextHash: next.hash }, graceSeconds, signal);
      if (rotated !== undefined) return { ...rotated, refreshToken: next.text };
      const ended = await repository.deleteByLineage(token.lineageHash, signal);
      if (ended?.wasLive === true) onReuse({ userId: ended.userId, sessionId: ended.sessionId });
      throw invalidRefreshToken();
    },

    async revoke(refreshToken, signal) {
      const token = refreshTokens.parse(refreshToken);
      if (token !== undefined) await repository.deleteByLineage(token.lineageHash, signal);
    },

    revokeOthers: (userId, exceptSessionId, transaction) =>
      repository.deleteOthers(userId, exceptSessionId, transaction),
    isLive: (sessionId, signal) => repository.isLive(sessionId, signal),
  };
}

function invalidRefreshToken(): SluiceError {
  return invalidToken('The refresh token is not valid; log in again.');
}
