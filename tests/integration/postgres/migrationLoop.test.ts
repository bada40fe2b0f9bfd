import { jest } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { createLogger, type Logger } from '../../../src/observability/logger.ts';
import { createDatabase, type Database } from '../../../src/postgres/database.ts';
import { createMigrationLoop } from '../../../src/postgres/migrationLoop.ts';
import { sharedPostgresUrl } from '../../environment/shared.ts';
import { createTestDatabase, type TestDatabase } from '../../environment/testDatabase.ts';
import { startTcpProxy, type TcpProxy } from './tcpProxy.ts';

let own: TestDatabase;
let proxy: TcpProxy;
let database: Database;
let path: string;
let folder: URL;
let lines: string[];
let logger: Logger;

beforeEach(async () => {
  own = await createTestDatabase(sharedPostgresUrl(), { empty: true });
  proxy = await startTcpProxy(own.url);
  path = await mkdtemp(join(tmpdir(), 'sluice-migrations-'));
  folder = pathToFileURL(`${path}/`);
  await writeFile(join(path, '001_first.sql'), 'CREATE TABLE first (id integer)');
  lines = [];
  logger = createLogger({ level: 'info', format: 'json' });
  for (const level of ['info', 'warn', 'error'] as const) {
    jest
      .spyOn(logger, level)
      .mockImplementation((...args: unknown[]) => void lines.push(`${level}: ${args.at(-1) as string}`));
  }
  const options = { url: proxy.url, poolSize: 2, connectTimeoutMs: 100, queryTimeoutMs: 1000 };
  database = createDatabase({ logger: createLogger({ level: 'silent', format: 'json' }) }, options);
});

afterEach(async () => {
  await database.close();
  await proxy.close();
  await own.drop();
  await rm(path, { recursive: true });
});

describe('the migration loop', () => {
  test('waits while Postgres is away, says so once, and migrates when it is back', async () => {
    proxy.freeze();
    const loop = createMigrationLoop({ database, logger, random: () => 0.01 }, { folder });
    while (lines.length === 0) await pause(20);
    await pause(2500);
    expect(loop.done).toBe(false);
    expect(loop.failure).toBeUndefined();
    proxy.thaw();
    await loop.finished;
    expect(loop.done).toBe(true);
    expect(lines).toEqual(['warn: waiting for the database to migrate it', 'info: the database schema is up to date']);
  });

  test('stops at a migration that cannot work, and says so once', async () => {
    await writeFile(join(path, '001_first.sql'), 'CREATE TABEL first (id integer)');
    const loop = createMigrationLoop({ database, logger }, { folder });
    await loop.finished;
    expect(loop.done).toBe(false);
    expect(loop.failure?.message).toMatch(/syntax error/);
    expect(lines).toEqual(['error: the database cannot be migrated; giving up']);
  });

  test('waits for a database that is yet to be made', async () => {
    const missing = new URL(own.url);
    missing.pathname = `${missing.pathname}_later`;
    const options = { url: missing.href, poolSize: 1, connectTimeoutMs: 1000, queryTimeoutMs: 5000 };
    const later = createDatabase({ logger: createLogger({ level: 'silent', format: 'json' }) }, options);
    const loop = createMigrationLoop({ database: later, logger, random: () => 0.01 }, { folder });
    while (lines.length === 0) await pause(20);
    await database.query(`CREATE DATABASE ${missing.pathname.slice(1)}`);
    await loop.finished;
    expect(loop.done).toBe(true);
    await later.close();
    await database.query(`DROP DATABASE ${missing.pathname.slice(1)} WITH (FORCE)`);
  });

  test('closes at once while it waits', async () => {
    proxy.freeze();
    const loop = createMigrationLoop({ database, logger, random: () => 1 }, { folder });
    await pause(300);
    const startedAt = performance.now();
    await loop.close();
    expect(performance.now() - startedAt).toBeLessThan(2000);
    expect(loop.done).toBe(false);
  });
});
