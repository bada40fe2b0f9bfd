/**
 * Numbered, forward-only SQL migrations: `migrations/001_name.sql`, `002_…`, each applied once, in order.
 *
 * Invariants
 * - Each file and its row in `schema_migrations` are one transaction under one advisory lock: however many instances
 *   start at once, each file runs once, and a killed one leaves nothing behind.
 * - What has been applied never changes: a file whose checksum differs is refused, so is a database that has
 *   migrations which this build does not know (an older build must not run against a newer schema).
 * - A file must not hold COMMIT or statements that cannot run inside a transaction.
 *
 * When Postgres fails midway the transaction is rolled back and run again (see database.ts); when another instance
 * holds the lock for longer than `lockTimeoutMs`, `migrate` fails with `overloaded`, and may be called again.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import type { Database, QueryOptions } from './database.ts';
import type { Queryable } from './queryable.ts';

/** Any number will do, as long as every instance takes the same one and nothing else in the database does. */
const advisoryLock = 7_310_601;

/** Longest wait for another instance's migration, and longest run of one statement of a migration, in ms. */
const lockTimeoutMs = 60_000;
const statementTimeoutMs = 300_000;

/** The files and the database contradict each other; trying again cannot help. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

/** One file. `checksum`: SHA-256 in hex of its text with `\n` line ends. */
interface Migration {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
  readonly sql: string;
}

interface AppliedRow {
  version: number;
  name: string;
  checksum: string;
}

/** How to migrate. `folder` ends with a slash; the default is the folder beside this file. */
export interface MigrateOptions {
  readonly signal?: AbortSignal;
  readonly folder?: URL;
}

/**
 * Applies what is missing.
 * @returns the files that this call applied, e.g. `['001_users']`.
 * @throws {MigrationError} on wrong file names, changed or unknown migrations; a `pg.DatabaseError` when the SQL of a
 * file fails; a SluiceError when Postgres cannot be reached or the lock is held for too long.
 */
export async function migrate(database: Database, options: MigrateOptions = {}): Promise<string[]> {
  const { signal, folder = new URL('./migrations/', import.meta.url) } = options;
  const migrations = await readMigrations(folder);
  if ((await countPending(database, migrations, signal)) === 0) return [];
  const applied: string[] = [];
  for (;;) {
    const name = await database.transaction((tx) => applyNext(tx, migrations), {
      // Sent twice it finds its own row, and goes on with the next file.
      repeatable: 'write',
      statementTimeoutMs,
      ...(signal && { signal }),
    });
    if (name === undefined) return applied;
    applied.push(name);
  }
}

/** The usual start, with nothing to do, takes no lock. */
async function countPending(
  database: Database,
  migrations: readonly Migration[],
  signal?: AbortSignal,
): Promise<number> {
  const options: QueryOptions = { repeatable: 'write', ...(signal && { signal }) };
  const [table] = await database.query<{ found: boolean }>(
    `SELECT to_regclass('schema_migrations') IS NOT NULL AS found`,
    [],
    options,
  );
  if (table?.found !== true) return migrations.length;
  const rows = await database.query<AppliedRow>('SELECT version, name, checksum FROM schema_migrations', [], options);
  return pendingOf(migrations, rows).length;
}

async function applyNext(tx: Queryable, migrations: readonly Migration[]): Promise<string | undefined> {
  await tx.query(`SET LOCAL lock_timeout = ${lockTimeoutMs}`);
  await tx.query('SELECT pg_advisory_xact_lock($1)', [advisoryLock]);
  await tx.query(`CREATE TABLE IF NOT EXISTS schema_migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
  )`);
  const rows = await tx.query<AppliedRow>('SELECT version, name, checksum FROM schema_migrations');
  const [next] = pendingOf(migrations, rows);
  if (next === undefined) return undefined;
  await tx.query(next.sql);
  await tx.query('INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)', [
    next.version,
    next.name,
    next.checksum,
  ]);
  return fileOf(next);
}

/** @throws {MigrationError} when what was applied is not a beginning of what there is. */
function pendingOf(migrations: readonly Migration[], rows: readonly AppliedRow[]): Migration[] {
  const applied = new Map(rows.map((row) => [row.version, row]));
  for (const row of rows) {
    const file = migrations[row.version - 1];
    if (file === undefined) {
      throw new MigrationError(
        `The database has migration ${fileOf(row)}, which this build does not know (its newest is ` +
          `${migrations.length}). Run a build at least as new as the database's schema.`,
      );
    }
    if (file.checksum !== row.checksum) {
      throw new MigrationError(
        `Migration ${fileOf(file)} was changed after it had been applied. Restore the file and put the change into a new one.`,
      );
    }
  }
  const pending = migrations.filter(({ version }) => !applied.has(version));
  if (pending[0] !== undefined && pending[0].version <= rows.length) {
    throw new MigrationError(
      `Migration ${fileOf(pending[0])} is missing in the database, though later ones were applied.`,
    );
  }
  return pending;
}

/** @throws {MigrationError} unless the files are numbered 1, 2, 3, … */
async function readMigrations(folder: URL): Promise<Migration[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.sql')).sort();
  return Promise.all(
    files.map(async (file, index) => {
      const [, digits, name] = /^(\d{3})_(\w+)\.sql$/.exec(file) ?? [];
      if (name === undefined || Number(digits) !== index + 1) {
        const expected = String(index + 1).padStart(3, '0');
        throw new MigrationError(`Migration file ${file} should be named ${expected}_<what_it_does>.sql.`);
      }
      const sql = (await readFile(new URL(file, folder), 'utf8')).replaceAll('\r\n', '\n');
      return { version: index + 1, name, checksum: createHash('sha256').update(sql).digest('hex'), sql };
    }),
  );
}

function fileOf({ version, name }: Pick<Migration, 'version' | 'name'>): string {
  return `${String(version).padStart(3, '0')}_${name}`;
}
