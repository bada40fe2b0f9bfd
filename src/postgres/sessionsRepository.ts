/** The `sessions` table. Every statement may be repeated without harm, and says so to the database. */
import type { Database } from './database.ts';
import type { Queryable } from './queryable.ts';
import { reading, repeatableWrite } from './repeatable.ts';

/** A row to be. Hashes are 32 bytes. */
export interface NewSession {
  readonly id: string;
  readonly userId: string;
  readonly lineageHash: Buffer;
  readonly currentHash: Buffer;
}

/** Under which conditions a session starts. */
export interface SessionTerms {
  /** The session starts only if the password has not been changed since. */
  readonly passwordChangedAt: Date;
  readonly ttlSeconds: number;
  readonly maxSessionsPerUser: number;
}

/** A presented token by its hashes, and the hash of its successor. */
export interface Rotation {
  readonly lineageHash: Buffer;
  readonly hash: Buffer;
  readonly nextHash: Buffer;
}

/** Whose session. */
export interface SessionKey {
  readonly sessionId: string;
  readonly userId: string;
}

/** Reads and writes sessions; throws what the database throws. */
export interface SessionsRepository {
  /** @returns false when the user is gone or has another password by now. */
  insert(session: NewSession, terms: SessionTerms, signal?: AbortSignal): Promise<boolean>;
  /** @returns `undefined` when the token is neither current nor, within the grace, the one before. */
  rotate(rotation: Rotation, graceSeconds: number, signal?: AbortSignal): Promise<SessionKey | undefined>;
  /** @returns the session that ended, and whether it had not expired yet. */
  deleteByLineage(
    lineageHash: Buffer,
    signal?: AbortSignal,
  ): Promise<(SessionKey & { readonly wasLive: boolean }) | undefined>;
  deleteOthers(userId: string, keptId: string, transaction?: Queryable): Promise<void>;
  isLive(id: string, signal?: AbortSignal): Promise<boolean>;
}

// The user's row is locked before any session row, as a password change does it: the two wait for each other and cannot
// deadlock, and a session can never start on a password that was changed a moment before.
const insertSession = `
  WITH owner AS MATERIALIZED (
    SELECT id FROM users WHERE id = $2 AND password_changed_at = $5 FOR SHARE
  ), swept AS (
    DELETE FROM sessions WHERE id IN (
      SELECT id FROM sessions
      WHERE user_id IN (SELECT id FROM owner) AND (expires_at <= now() OR id IN (
        SELECT id FROM sessions WHERE user_id = $2 AND expires_at > now() AND id <> $1
        ORDER BY created_at DESC OFFSET $7::int - 1
      ))
      FOR UPDATE SKIP LOCKED
    )
  )
  INSERT INTO sessions (id, user_id, lineage_hash, current_hash, expires_at)
  SELECT $1::uuid, id, $3::bytea, $4::bytea, now() + $6::float8 * interval '1 second' FROM owner
  ON CONFLICT (id) DO UPDATE SET id = EXCLUDED.id
  RETURNING id`;

// The right-hand sides see the row as it was locked, so of many rotations at once one moves the row and the others
// repeat its outcome: the successor of a token is always the same.
const rotateSession = `
  UPDATE sessions SET
    current_hash = $3,
    previous_hash = $2,
    rotated_at = CASE WHEN current_hash = $2 THEN now() ELSE rotated_at END
  WHERE lineage_hash = $1 AND expires_at > now()
    AND (current_hash = $2 OR (previous_hash = $2 AND rotated_at > now() - $4::float8 * interval '1 second'))
  RETURNING id AS "sessionId", user_id AS "userId"`;

/** Makes the repository. */
export function createSessionsRepository(database: Database): SessionsRepository {
  return {
    async insert(
      { id, userId, lineageHash, currentHash },
      { passwordChangedAt, ttlSeconds, maxSessionsPerUser },
      signal,
    ) {
      const values = [id, userId, lineageHash, currentHash, passwordChangedAt, ttlSeconds, maxSessionsPerUser];
      const rows = await database.query(insertSession, values, repeatableWrite(signal));
      return rows.length === 1;
    },
    async rotate({ lineageHash, hash, nextHash }, graceSeconds, signal) {
      const values = [lineageHash, hash, nextHash, graceSeconds];
      const [row] = await database.query<SessionKey>(rotateSession, values, repeatableWrite(signal));
      return row;
    },
    async deleteByLineage(lineageHash, signal) {
      const text = `
        DELETE FROM sessions WHERE lineage_hash = $1
        RETURNING id AS "sessionId", user_id AS "userId", expires_at > now() AS "wasLive"`;
      const [row] = await database.query<SessionKey & { wasLive: boolean }>(
        text,
        [lineageHash],
        repeatableWrite(signal),
      );
      return row;
    },
    async deleteOthers(userId, keptId, transaction) {
      const text = 'DELETE FROM sessions WHERE user_id = $1 AND id <> $2';
      if (transaction !== undefined) await transaction.query(text, [userId, keptId]);
      else await database.query(text, [userId, keptId], repeatableWrite());
    },
    async isLive(id, signal) {
      const text = 'SELECT 1 FROM sessions WHERE id = $1 AND expires_at > now()';
      const rows = await database.query(text, [id], reading(signal));
      return rows.length === 1;
    },
  };
}
