import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createLogger } from '../../../src/observability/logger.ts';
import { createDatabase, type Database } from '../../../src/postgres/database.ts';
import { migrate } from '../../../src/postgres/migrations.ts';
import { sharedPostgresUrl } from '../../environment/shared.ts';
import { createTestDatabase, type TestDatabase } from '../../environment/testDatabase.ts';

const logger = createLogger({ level: 'silent', format: 'json' });
const opened: Database[] = [];
let own: TestDatabase;
let path: string;
let folder: URL;

function open(): Database {
  const database = createDatabase(
    { logger },
    { url: own.url, poolSize: 2, connectTimeoutMs: 3000, queryTimeoutMs: 5000 },
  );
  opened.push(database);
  return database;
}

beforeEach(async () => {
  own = await createTestDatabase(sharedPostgresUrl(), { empty: true });
  path = await mkdtemp(join(tmpdir(), 'sluice-migrations-'));
  folder = pathToFileURL(`${path}/`);
  await writeFile(join(path, '001_first.sql'), 'CREATE TABLE first (id integer); INSERT INTO first VALUES (1);');
  await writeFile(join(path, '002_second.sql'), 'ALTER TABLE first ADD COLUMN name text;\nSELECT pg_sleep(0.1);\n');
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((database) => database.close()));
  await own.drop();
  await rm(path, { recursive: true });
});

describe('migrate', () => {
  test('applies what is missing, in order, once', async () => {
    const database = open();
    await expect(migrate(database, { folder })).resolves.toEqual(['001_first', '002_second']);
    await expect(migrate(database, { folder })).resolves.toEqual([]);
    await writeFile(join(path, '003_third.sql'), 'DELETE FROM first');
    await expect(migrate(database, { folder })).resolves.toEqual(['003_third']);
    const rows = await database.query(
      'SELECT version, name, length(checksum) AS length FROM schema_migrations ORDER BY version',
    );
    expect(rows).toEqual([
      { version: 1, name: 'first', length: 64 },
      { version: 2, name: 'second', length: 64 },
      { version: 3, name: 'third', length: 64 },
    ]);
  });

  test('by ten instances at once applies each file once', async () => {
    const applied = await Promise.all(Array.from({ length: 10 }, () => migrate(open(), { folder })));
    expect(applied.flat().sort()).toEqual(['001_first', '002_second']);
    expect(await open().query('SELECT id FROM first')).toEqual([{ id: 1 }]);
  });

  test('refuses a file that was changed after it had been applied', async () => {
    await migrate(open(), { folder });
    await writeFile(join(path, '001_first.sql'), 'CREATE TABLE first (id bigint)');
    await expect(migrate(open(), { folder })).rejects.toThrow(/001_first was changed after/);
  });

  test('does not mind Windows line ends', async () => {
    await migrate(open(), { folder });
    await writeFile(
      join(path, '002_second.sql'),
      'ALTER TABLE first ADD COLUMN name text;\r\nSELECT pg_sleep(0.1);\r\n',
    );
    await expect(migrate(open(), { folder })).resolves.toEqual([]);
  });

  test('refuses a database that is newer than the build', async () => {
    await migrate(open(), { folder });
    await rm(join(path, '002_second.sql'));
    await expect(migrate(open(), { folder })).rejects.toThrow(
      /has migration 002_second, which this build does not know/,
    );
  });

  test('refuses numbers that leave a gap', async () => {
    await writeFile(join(path, '004_fourth.sql'), 'SELECT 1');
    await expect(migrate(open(), { folder })).rejects.toThrow(/004_fourth.sql should be named 003_/);
  });

  test('leaves nothing of a file that fails, and keeps those before it', async () => {
    await writeFile(join(path, '003_third.sql'), 'CREATE TABLE third (); SELECT * FROM nowhere;');
    await expect(migrate(open(), { folder })).rejects.toMatchObject({ code: '42P01' });
    const [tables] = await open().query(`SELECT to_regclass('third') AS third, to_regclass('first') AS first`);
    expect(tables).toEqual({ third: null, first: 'first' });
    expect(await open().query('SELECT count(*)::int AS n FROM schema_migrations')).toEqual([{ n: 2 }]);
  });

  test('is not bound by the deadline of ordinary statements', async () => {
    await writeFile(join(path, '003_third.sql'), 'SELECT pg_sleep(1)');
    const database = createDatabase(
      { logger },
      { url: own.url, poolSize: 1, connectTimeoutMs: 3000, queryTimeoutMs: 200 },
    );
    opened.push(database);
    await expect(migrate(database, { folder })).resolves.toHaveLength(3);
  });

  test('applies the service’s own migrations', async () => {
    const applied = await migrate(open());
    expect(applied[0]).toMatch(/^001_/);
  });
});
