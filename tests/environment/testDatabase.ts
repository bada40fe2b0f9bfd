/** A database for each test file, cloned from a template that has the migrations applied. */
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import pg from 'pg';
import { createLogger } from '../../src/observability/logger.ts';
import { createDatabase } from '../../src/postgres/database.ts';
import { migrate } from '../../src/postgres/migrations.ts';

/** One's own database. */
export interface TestDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

const templateLock = 4_210_417;
const migrations = new URL('../../src/postgres/migrations/', import.meta.url);

/** `url`: any database of the server. `empty`: without the migrations. */
export async function createTestDatabase(url: string, options: { empty?: boolean } = {}): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  await asAdmin(url, async (admin) => {
    if (options.empty === true) {
      await admin.query(`CREATE DATABASE ${name}`);
      return;
    }
    // Others wait here while the first one makes the template. The lock ends with the connection.
    await admin.query('SELECT pg_advisory_lock($1)', [templateLock]);
    await admin.query(`CREATE DATABASE ${name} TEMPLATE ${await template(admin, url)}`);
  });
  return {
    url: withDatabase(url, name),
    drop: () => asAdmin(url, async (admin) => void (await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`))),
  };
}

/** Makes the template under another name first: what bears the name is complete. */
async function template(admin: pg.Client, url: string): Promise<string> {
  const hash = createHash('sha256');
  for (const file of readdirSync(migrations).sort()) hash.update(file).update(readFileSync(new URL(file, migrations)));
  const name = `template_${hash.digest('hex').slice(0, 16)}`;
  const { rowCount } = await admin.query('SELECT FROM pg_database WHERE datname = $1', [name]);
  if (rowCount !== 0) return name;
  const draft = `${name}_draft`;
  await admin.query(`DROP DATABASE IF EXISTS ${draft} WITH (FORCE)`);
  await admin.query(`CREATE DATABASE ${draft}`);
  const database = createDatabase(
    { logger: createLogger({ level: 'silent', format: 'json' }) },
    { url: withDatabase(url, draft), poolSize: 1, connectTimeoutMs: 5000, queryTimeoutMs: 10_000 },
  );
  try {
    await migrate(database);
  } finally {
    await database.close();
  }
  await admin.query(`ALTER DATABASE ${draft} RENAME TO ${name}`);
  return name;
}

async function asAdmin(url: string, work: (admin: pg.Client) => Promise<void>): Promise<void> {
  const admin = new pg.Client({ connectionString: withDatabase(url, 'postgres') });
  await admin.connect();
  try {
    await work(admin);
  } finally {
    await admin.end();
  }
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}
