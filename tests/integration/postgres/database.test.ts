import { jest } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { deadlineError } from '../../../src/deadline.ts';
import { createLogger } from '../../../src/observability/logger.ts';
import { createDatabase, type Database, type DatabaseOptions } from '../../../src/postgres/database.ts';
import { sharedPostgresUrl } from '../../environment/shared.ts';
import { createTestDatabase, type TestDatabase } from '../../environment/testDatabase.ts';
import { startTcpProxy, type TcpProxy } from './tcpProxy.ts';

const logger = createLogger({ level: 'silent', format: 'json' });
let own: TestDatabase;
let proxy: TcpProxy;
/** Straight to Postgres, to look and to kill; everything else goes through the proxy. */
let observer: Database;
const opened: Database[] = [];

function open(options: Partial<DatabaseOptions> = {}): Database {
  const database = createDatabase(
    { logger },
    { url: proxy.url, poolSize: 4, connectTimeoutMs: 3000, queryTimeoutMs: 5000, ...options },
  );
  opened.push(database);
  return database;
}

beforeAll(async () => {
  own = await createTestDatabase(sharedPostgresUrl(), { empty: true });
  proxy = await startTcpProxy(own.url);
  observer = createDatabase({ logger }, { url: own.url, poolSize: 2, connectTimeoutMs: 3000, queryTimeoutMs: 5000 });
  await observer.query('CREATE TABLE items (id uuid PRIMARY KEY, n integer NOT NULL DEFAULT 0)');
});

afterEach(async () => {
  proxy.thaw();
  await Promise.all(opened.splice(0).map((database) => database.close()));
});

afterAll(async () => {
  await observer.close();
  await proxy.close();
  await own.drop();
});

const insert = 'INSERT INTO items (id) VALUES ($1)';
const upsert = 'INSERT INTO items (id) VALUES ($1) ON CONFLICT DO NOTHING';
const after = (ms: number): AbortSignal => {
  const controller = new AbortController();
  setTimeout(() => controller.abort(deadlineError(ms)), ms);
  return controller.signal;
};
const isThere = async (id: string) => (await observer.query('SELECT FROM items WHERE id = $1', [id])).length === 1;

/** Waits until a statement with `marker` runs on the server, and kills its connection. */
async function killRunning(marker: string): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    const killed = await observer.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE query LIKE $1 AND state <> 'idle' AND pid <> pg_backend_pid()`,
      [`%${marker}%`],
    );
    if (killed.length > 0) return;
    await pause(10);
  }
  throw new Error(`${marker} never ran`);
}

/** Repeats a check until it holds, for at most 2 s. */
async function eventually(check: () => void | Promise<void>): Promise<void> {
  const giveUpAt = performance.now() + 2000;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > giveUpAt) throw error;
      await pause(20);
    }
  }
}

describe('a query', () => {
  test('gives typed rows and fails with the server’s own error where the statement is at fault', async () => {
    const database = open();
    const rows = await database.query<{ sum: number }>('SELECT $1::int + $2::int AS sum', [2, 3]);
    expect(rows).toEqual([{ sum: 5 }]);
    await expect(database.query('SELECT * FROM nothing')).rejects.toMatchObject({ name: 'error', code: '42P01' });
    expect(database.stats()).toEqual({ total: 1, idle: 1, waiting: 0 });
  });

  test('that runs too long is cancelled by the server, and the connection stays', async () => {
    const database = open({ queryTimeoutMs: 200 });
    await expect(database.query('SELECT pg_sleep(30)', [], { repeatable: 'read' })).rejects.toMatchObject({
      code: 'overloaded',
      cause: { code: '57014' },
    });
    expect(database.stats()).toEqual({ total: 1, idle: 1, waiting: 0 });
    await expect(database.ping()).resolves.toBeUndefined();
  });

  test('that gets no answer ends on the client’s side, and its connection is destroyed', async () => {
    const database = open({ queryTimeoutMs: 200 });
    await database.ping();
    proxy.freeze();
    const id = randomUUID();
    await expect(database.query(insert, [id])).rejects.toMatchObject({
      code: 'outcome_unknown',
      cause: { name: 'NoAnswerError' },
    });
    expect(database.stats()).toEqual({ total: 0, idle: 0, waiting: 0 });
    proxy.thaw();
    await expect(database.query('SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
  });

  test.each([
    [undefined, 'outcome_unknown'],
    ['write', 'outcome_unknown'],
    ['read', 'deadline_exceeded'],
  ] as const)(
    'whose signal is aborted (repeatable: %s) ends at once with %s, and its connection is destroyed',
    async (repeatable, code) => {
      const database = open();
      const startedAt = performance.now();
      const query = database.query('SELECT pg_sleep(4)', [], { ...(repeatable && { repeatable }), signal: after(100) });
      await expect(query).rejects.toMatchObject({ code });
      expect(performance.now() - startedAt).toBeLessThan(3000);
      await eventually(() => expect(database.stats().total).toBe(0));
    },
  );

  test('with a signal that is aborted already is not sent', async () => {
    const database = open();
    const id = randomUUID();
    await expect(database.query(insert, [id], { signal: AbortSignal.abort(deadlineError(0)) })).rejects.toMatchObject({
      code: 'deadline_exceeded',
    });
    expect(await isThere(id)).toBe(false);
  });

  test('whose connection is killed is repeated when repeatable, else its outcome is unknown', async () => {
    const database = open();
    const [repeated] = await Promise.all([
      database.query<{ ok: string }>(`SELECT 'yes' AS ok, pg_sleep(0.5) /* one */`, [], { repeatable: 'read' }),
      killRunning('/* one */'),
    ]);
    expect(repeated[0]?.ok).toBe('yes');
    await Promise.all([
      expect(database.query('SELECT pg_sleep(3) /* two */')).rejects.toMatchObject({ code: 'outcome_unknown' }),
      killRunning('/* two */'),
    ]);
    await expect(database.ping()).resolves.toBeUndefined();
  });

  test('whose answer is lost has been done: once when called unknown, once when repeated', async () => {
    const database = open();
    const [unknown, repeated] = [randomUUID(), randomUUID()];
    proxy.loseAnswerTo('INSERT');
    await expect(database.query(insert, [unknown])).rejects.toMatchObject({ code: 'outcome_unknown' });
    expect(await isThere(unknown)).toBe(true);
    proxy.loseAnswerTo('INSERT');
    await expect(database.query(upsert, [repeated], { repeatable: 'write' })).resolves.toEqual([]);
    expect(await isThere(repeated)).toBe(true);
  });

  test('an idle connection that dies is replaced unnoticed', async () => {
    const database = open();
    const [row] = await database.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await observer.query('SELECT pg_terminate_backend($1, 5000)', [row?.pid]);
    while (database.stats().total > 0) await pause(5);
    await expect(database.query('SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
  });
});

describe('a transaction', () => {
  test('commits its work, and rolls back when the work throws', async () => {
    const database = open();
    const [kept, dropped] = [randomUUID(), randomUUID()];
    await expect(database.transaction(async (tx) => (await tx.query(insert, [kept]), 'result'))).resolves.toBe(
      'result',
    );
    const failing = database.transaction(async (tx) => {
      await tx.query(insert, [dropped]);
      throw Object.assign(new Error('own'), { code: 'ECONNREFUSED' });
    });
    await expect(failing).rejects.toThrow('own');
    expect([await isThere(kept), await isThere(dropped)]).toEqual([true, false]);
    expect(database.stats()).toEqual({ total: 1, idle: 1, waiting: 0 });
  });

  test('is run again as a whole until it can be serialised', async () => {
    const database = open({ poolSize: 6 });
    const id = randomUUID();
    await database.query(insert, [id]);
    let runs = 0;
    const increments = Array.from({ length: 6 }, () =>
      database.transaction(async (tx) => {
        runs++;
        await tx.query('SET TRANSACTION ISOLATION LEVEL SERIALIZABLE');
        const [row] = await tx.query<{ n: number }>('SELECT n FROM items WHERE id = $1', [id]);
        await pause(20);
        await tx.query('UPDATE items SET n = $2 WHERE id = $1', [id, (row?.n ?? NaN) + 1]);
      }),
    );
    await Promise.all(increments);
    expect(await observer.query('SELECT n FROM items WHERE id = $1', [id])).toEqual([{ n: 6 }]);
    expect(runs).toBeGreaterThan(6);
  });

  test('whose connection is killed before COMMIT is run again: it has left nothing', async () => {
    const database = open();
    const id = randomUUID();
    let runs = 0;
    const [result] = await Promise.all([
      database.transaction(async (tx) => {
        runs++;
        await tx.query(insert, [id]);
        if (runs === 1) await tx.query('SELECT pg_sleep(4) /* three */');
        return runs;
      }),
      killRunning('/* three */'),
    ]);
    expect(result).toBe(2);
    expect(await isThere(id)).toBe(true);
  });

  test('whose COMMIT is not answered is unknown, and repeated only when repeatable', async () => {
    const database = open();
    const [unknown, repeated] = [randomUUID(), randomUUID()];
    proxy.loseAnswerTo('COMMIT');
    await expect(database.transaction((tx) => tx.query(insert, [unknown]))).rejects.toMatchObject({
      code: 'outcome_unknown',
    });
    expect(await isThere(unknown)).toBe(true);
    let runs = 0;
    proxy.loseAnswerTo('COMMIT');
    await database.transaction((tx) => (runs++, tx.query(upsert, [repeated])), { repeatable: 'write' });
    expect(runs).toBe(2);
    expect(await isThere(repeated)).toBe(true);
  });

  test('is not committed when the work swallows the failure of a statement', async () => {
    const database = open();
    const [taken, other] = [randomUUID(), randomUUID()];
    await database.query(insert, [taken]);
    const swallowing = database.transaction(async (tx) => {
      await tx.query(insert, [other]);
      await tx.query(insert, [taken]).catch(() => undefined);
    });
    await expect(swallowing).rejects.toMatchObject({ code: '23505' });
    expect(await isThere(other)).toBe(false);
  });

  test('a data error that the work has translated reaches the caller translated', async () => {
    const database = open();
    const id = randomUUID();
    await database.query(insert, [id]);
    const translating = database.transaction((tx) =>
      tx.query(insert, [id]).catch(() => {
        throw new Error('taken');
      }),
    );
    await expect(translating).rejects.toThrow('taken');
  });

  test('a refused COMMIT (deferred constraint) has committed nothing, and the connection stays', async () => {
    const database = open();
    await observer.query('CREATE TABLE parts (item uuid REFERENCES items DEFERRABLE INITIALLY DEFERRED)');
    const orphan = database.transaction((tx) => tx.query('INSERT INTO parts VALUES ($1)', [randomUUID()]));
    await expect(orphan).rejects.toMatchObject({ code: '23503' });
    expect(await observer.query('SELECT FROM parts')).toEqual([]);
    expect(database.stats()).toEqual({ total: 1, idle: 1, waiting: 0 });
  });

  test('given up at its deadline is rolled back, and its work can write nothing more', async () => {
    const database = open();
    const [before, late] = [randomUUID(), randomUUID()];
    let lateFailure: Promise<unknown> | undefined;
    const work = database.transaction(
      async (tx) => {
        await tx.query(insert, [before]);
        await pause(400);
        lateFailure = tx.query(insert, [late]).catch((error: Error) => error.message);
        await lateFailure;
      },
      { signal: after(100) },
    );
    await expect(work).rejects.toMatchObject({ code: 'deadline_exceeded' });
    await pause(500);
    await expect(lateFailure).resolves.toBe('this transaction has ended');
    expect([await isThere(before), await isThere(late)]).toEqual([false, false]);
  });
});

describe('the pool', () => {
  test('refuses who waits too long for a connection, and serves who waits less', async () => {
    const database = open({ poolSize: 1, connectTimeoutMs: 300 });
    const busy = database.query('SELECT pg_sleep(1)');
    await pause(100);
    const waiting = database.query('SELECT 1');
    expect(database.stats().waiting).toBe(1);
    await expect(waiting).rejects.toMatchObject({ code: 'overloaded', context: { retryAfterSeconds: 1 } });
    await pause(500);
    const [, served] = await Promise.all([busy, database.query('SELECT 1 AS one')]);
    expect(served).toEqual([{ one: 1 }]);
  });

  test('says database_unavailable when nothing listens', async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    const database = createDatabase(
      { logger, random: () => 0 },
      {
        url: `postgres://postgres@127.0.0.1:${port}/postgres`,
        poolSize: 2,
        connectTimeoutMs: 500,
        queryTimeoutMs: 500,
      },
    );
    opened.push(database);
    await expect(database.query('SELECT 1')).rejects.toMatchObject({
      code: 'database_unavailable',
      cause: { code: 'ECONNREFUSED' },
    });
    await expect(database.ping()).rejects.toMatchObject({ code: 'database_unavailable' });
  });

  test('says database_unavailable, to every caller, when the server accepts and never answers; no slot is lost', async () => {
    const database = open({ poolSize: 2, connectTimeoutMs: 200, queryTimeoutMs: 200 });
    proxy.freeze();
    const results = await Promise.allSettled([1, 2].map(() => database.query('SELECT 1')));
    expect(results).toMatchObject([1, 2].map(() => ({ status: 'rejected', reason: { code: 'database_unavailable' } })));
    const given = database.query('SELECT 1', [], { signal: after(50) });
    await expect(given).rejects.toMatchObject({ code: 'deadline_exceeded' });
    proxy.thaw();
    await pause(300);
    const served = await Promise.all([1, 2].map(() => database.query('SELECT pg_sleep(0.1)')));
    expect(served).toHaveLength(2);
  });

  test('logs when Postgres goes and comes back, not at every try', async () => {
    const lines: string[] = [];
    const spy = createLogger({ level: 'info', format: 'json' });
    for (const level of ['info', 'warn'] as const) {
      jest.spyOn(spy, level).mockImplementation((...args: unknown[]) => void lines.push(args.at(-1) as string));
    }
    const database = createDatabase(
      { logger: spy },
      { url: proxy.url, poolSize: 1, connectTimeoutMs: 100, queryTimeoutMs: 300 },
    );
    opened.push(database);
    proxy.freeze();
    await expect(database.query('SELECT 1')).rejects.toMatchObject({ code: 'database_unavailable' });
    proxy.thaw();
    await expect(database.query('SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
    expect(lines).toEqual(['Postgres cannot be reached', 'Postgres can be reached again']);
  });

  test('closing waits for what runs, refuses what comes, and leaves no connection', async () => {
    const database = open({ poolSize: 1 });
    const running = database.query<{ one: number }>('SELECT 1 AS one, pg_sleep(0.3) /* four */');
    const waiting = database.query('SELECT 2');
    // One expectation now: a rejection that nobody awaits yet would end the process.
    const refused = expect(waiting).rejects.toMatchObject({ code: 'shutting_down' });
    await pause(100);
    await database.close();
    expect((await running)[0]?.one).toBe(1);
    await refused;
    await expect(database.query('SELECT 3')).rejects.toMatchObject({ code: 'shutting_down' });
    await database.close();
    // The server's own process outlives the connection by a moment.
    const left = `SELECT FROM pg_stat_activity WHERE query LIKE '%/* four */%' AND pid <> pg_backend_pid()`;
    await eventually(async () => expect(await observer.query(left)).toEqual([]));
  });

  test('closing does not wait for a frozen server', async () => {
    const database = open({ queryTimeoutMs: 200 });
    await database.ping();
    proxy.freeze();
    const startedAt = performance.now();
    await database.close();
    expect(performance.now() - startedAt).toBeLessThan(5000);
  });
});
