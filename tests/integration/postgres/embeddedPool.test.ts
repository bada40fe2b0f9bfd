import pg from 'pg';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createLogger } from '../../../src/observability/logger.ts';
import { createDatabase, type Database } from '../../../src/postgres/database.ts';
import type { Queryable } from '../../../src/postgres/queryable.ts';
import { endEmbedded, runEmbedded, type EmbeddedProcess } from './runEmbedded.ts';

describe('the embedded Postgres, shared by a pool of ten,', () => {
  let dataDir: string;
  let server: EmbeddedProcess;
  let url: string;
  let database: Database;

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'sluice-embedded-'));
    server = runEmbedded(dataDir, 'serve');
    ({ url = '' } = await server.line((line) => line.url !== undefined));
    const logger = createLogger({ level: 'silent', format: 'json' });
    database = createDatabase({ logger }, { url, poolSize: 10, connectTimeoutMs: 10_000, queryTimeoutMs: 10_000 });
  });

  afterEach(async () => {
    await database.query('DELETE FROM written');
  });

  afterAll(async () => {
    await database.close();
    await server.close();
    await endEmbedded(dataDir);
  });

  test('gives each query its own answer while transactions run, and never locks up', async () => {
    const ask = async (queryable: Queryable, i: number) => {
      const width = (i % 7) + 1;
      const columns = Array.from({ length: width }, (_, k) => `$${k + 1}::int AS c${k}`).join(', ');
      const [row] = await queryable.query(`SELECT ${columns}`, Array<number>(width).fill(i));
      expect(Object.values(row ?? {})).toEqual(Array(width).fill(i));
    };
    await Promise.all(
      Array.from({ length: 400 }, async (_, i) => {
        if (i % 5 !== 0) return ask(database, i);
        return database
          .transaction(async (tx) => {
            await ask(tx, i);
            await tx.query('INSERT INTO written VALUES ($1)', [i]);
            if (i % 10 === 0) await tx.query('SELECT 1/0').catch(() => undefined);
          })
          .catch((error: { code?: string }) => expect(error.code).toBe('22012'));
      }),
    );
    const rows = await database.query<{ n: number }>('SELECT n FROM written ORDER BY n');
    expect(rows.map(({ n }) => n)).toEqual(Array.from({ length: 40 }, (_, k) => k * 10 + 5));
  });

  test('rolls back for a client that vanishes inside a transaction', async () => {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    await client.query('BEGIN');
    await client.query('INSERT INTO written VALUES (1)');
    const waiting = database.query('SELECT n FROM written');
    await pause(100);
    (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    await expect(waiting).resolves.toEqual([]);
  });

  test('takes the session from a client that falls silent inside a transaction', async () => {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    await client.query('BEGIN');
    await client.query('INSERT INTO written VALUES (1)');
    await expect(database.query('SELECT n FROM written')).resolves.toEqual([]);
    await expect(client.query('COMMIT')).rejects.toThrow();
    await client.end();
  });

  test('survives clients that break off at any point, and nonsense', async () => {
    await Promise.all(
      Array.from({ length: 30 }, async (_, i) => {
        const client = new pg.Client({ connectionString: url });
        client.on('error', () => undefined);
        await client.connect();
        const lost = [client.query('BEGIN'), client.query('INSERT INTO written VALUES ($1)', [1])].map((query) =>
          query.catch(() => undefined),
        );
        if (i % 3 === 0) await lost[0];
        if (i % 3 === 1) await pause(i);
        (
          client as unknown as { connection: { stream: { destroy(): void; write(text: string): void } } }
        ).connection.stream.destroy();
        await Promise.all(lost);
      }),
    );
    const { port } = new URL(url);
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
    await expect(database.query('SELECT n FROM written')).resolves.toEqual([]);
  });
});
