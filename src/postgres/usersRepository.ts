/** The `users` table. Every statement may be repeated without harm, and says so to the database. */
import type { Database } from './database.ts';
import type { Queryable } from './queryable.ts';
import { reading, repeatableWrite } from './repeatable.ts';

/** A row. */
export interface UserRow {
  readonly id: string;
  readonly email: string;
  readonly passwordHash: string;
  readonly createdAt: Date;
  readonly passwordChangedAt: Date;
}

/** A row to be. `canonical` is unique. */
export interface NewUser {
  readonly id: string;
  readonly email: string;
  readonly canonical: string;
  readonly passwordHash: string;
}

/** A new hash in the place of a known one. */
export interface HashChange {
  readonly id: string;
  readonly currentHash: string;
  readonly newHash: string;
}

/** Reads and writes users; throws what the database throws. */
export interface UsersRepository {
  /** @returns `undefined` when the canonical address belongs to somebody else. */
  insert(user: NewUser, signal?: AbortSignal): Promise<UserRow | undefined>;
  byCanonicalEmail(canonical: string, signal?: AbortSignal): Promise<UserRow | undefined>;
  byId(id: string, signal?: AbortSignal): Promise<UserRow | undefined>;
  /** @returns false when the hash is no longer the known one. */
  changePassword(change: HashChange, transaction: Queryable): Promise<boolean>;
  /** The same password under a new hash; does nothing when the hash is no longer the known one. */
  renewHash(change: HashChange, signal?: AbortSignal): Promise<void>;
}

const columns = `id, email, password_hash AS "passwordHash", created_at AS "createdAt", password_changed_at AS "passwordChangedAt"`;

// DO UPDATE in place of DO NOTHING, because it returns the row when the conflict is with this very insert, made earlier
// with its answer lost. It also waits for one that is still being committed, which a look afterwards would not see.
const insertUser = `
  INSERT INTO users (id, email, email_canonical, password_hash) VALUES ($1, $2, $3, $4)
  ON CONFLICT (email_canonical) DO UPDATE SET id = users.id WHERE users.id = EXCLUDED.id
  RETURNING ${columns}`;

/** Makes the repository. */
export function createUsersRepository(database: Database): UsersRepository {
  return {
    async insert({ id, email, canonical, passwordHash }, signal) {
      const [row] = await database.query<UserRow>(
        insertUser,
        [id, email, canonical, passwordHash],
        repeatableWrite(signal),
      );
      return row;
    },
    async byCanonicalEmail(canonical, signal) {
      const text = `SELECT ${columns} FROM users WHERE email_canonical = $1`;
      const [row] = await database.query<UserRow>(text, [canonical], reading(signal));
      return row;
    },
    async byId(id, signal) {
      const [row] = await database.query<UserRow>(`SELECT ${columns} FROM users WHERE id = $1`, [id], reading(signal));
      return row;
    },
    async changePassword({ id, currentHash, newHash }, transaction) {
      const text = `
        UPDATE users SET password_hash = $3, password_changed_at = date_trunc('milliseconds', now())
        WHERE id = $1 AND password_hash IN ($2, $3) RETURNING id`;
      const rows = await transaction.query(text, [id, currentHash, newHash]);
      return rows.length === 1;
    },
    async renewHash({ id, currentHash, newHash }, signal) {
      const text = 'UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2';
      await database.query(text, [id, currentHash, newHash], repeatableWrite(signal));
    },
  };
}
