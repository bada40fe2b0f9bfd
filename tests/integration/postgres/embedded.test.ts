import { transformFileSync } from '@swc/core';
import pg from 'pg';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { lockDataDir } from '../../../src/embedded/dataDirLock.ts';
import { createLogger } from '../../../src/observability/logger.ts';
import { createDatabase, type Database, type Queryable } from '../../../src/postgres/database.ts';
import type { Line } from './embeddedProcess.ts';

/** The fixture, its types stripped and its imports taken from the build (`node scripts/build.mjs`). */
const script = transformFileSync(fileURLToPath(new URL('./embeddedProcess.ts', import.meta.url)), {
  swcrc: false,
  jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
  module: { type: 'es6' },
}).code.replaceAll(/\.\.\/\.\.\/\.\.\/(src\/[\w/]+)\.ts/g, `${new URL('../../../dist/', import.meta.url).href}$1.js`);
const children = new Set<ChildProcess>();
let dataDir: string;

/** Runs the fixture; `line` waits for the first line that satisfies a condition. */
function run(mode: 'lock' | 'write' | 'serve') {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, dataDir, mode], { stdio: ['pipe', 'pipe', 'pipe'] });
  children.add(child);
  const lines: Line[] = [];
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => (errors += part));
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(JSON.parse(line) as Line));
  const ended = new Promise<void>((resolve) => child.once('close', () => (children.delete(child), resolve())));
  const line = async (wanted: (line: Line) => boolean): Promise<Line> => {
    for (const giveUpAt = performance.now() + 30_000; performance.now() < giveUpAt; await pause(10)) {
      const found = lines.find(wanted);
      if (found !== undefined) return found;
      if (!children.has(child)) break;
    }
    throw new Error(`the fixture did not say so: ${JSON.stringify(lines)}\n${errors}`);
  };
  return {
    lines,
    line,
    errors: () => errors,
    kill: async () => (child.kill('SIGKILL'), await ended),
    close: async () => (child.stdin.end(), await ended),
  };
}

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'sluice-embedded-'));
});

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  while (children.size > 0) await pause(10);
  // Taking the lock removes what the killed ones left in the temporary folder.
  await (await lockDataDir(dataDir)).release();
  await rm(dataDir, { recursive: true, force: true });
});

describe('the embedded Postgres', () => {
  test('has every acknowledged row after kill -9, and starts again by itself', async () => {
    const writer = run('write');
    await writer.line(({ written }) => written === 200);
    await writer.kill();
    const acknowledged = writer.lines.filter(({ written }) => written !== undefined).length;

    const again = run('serve');
    const { url } = await again.line((line) => line.url !== undefined);
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query<{ n: number; max: number }>('SELECT count(*)::int AS n, max(n) FROM written');
    await client.end();
    expect(rows[0]?.n).toBeGreaterThanOrEqual(acknowledged);
    expect(rows[0]?.n).toBe(rows[0]?.max);
    await again.close();
    expect(again.lines.at(-1)).toEqual({ closed: true });
    expect(writer.errors() + again.errors()).toBe('');
  });

  describe('shared by a pool of ten', () => {
    let server: ReturnType<typeof run>;
    let url: string;
    let database: Database;

    beforeEach(async () => {
      server = run('serve');
      ({ url = '' } = await server.line((line) => line.url !== undefined));
      const logger = createLogger({ level: 'silent', format: 'json' });
      database = createDatabase({ logger }, { url, poolSize: 10, connectTimeoutMs: 10_000, queryTimeoutMs: 10_000 });
    });

    afterEach(async () => {
      await database.close();
      await server.close();
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
          return database.transaction(async (tx) => {
            await ask(tx, i);
            await tx.query('INSERT INTO written VALUES ($1)', [i]);
            if (i % 10 === 0) await tx.query('SELECT 1/0').catch(() => undefined);
          }).catch((error: { code?: string }) => expect(error.code).toBe('22012'));
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
          const lost = [client.query('BEGIN'), client.query('INSERT INTO written VALUES ($1)', [1])].map((query) => query.catch(() => undefined));
          if (i % 3 === 0) await lost[0];
          if (i % 3 === 1) await pause(i);
          (client as unknown as { connection: { stream: { destroy(): void; write(text: string): void } } }).connection.stream.destroy();
          await Promise.all(lost);
        }),
      );
      const { port } = new URL(url);
      await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
      await expect(database.query('SELECT n FROM written')).resolves.toEqual([]);
    });
  });
});

describe('the lock of a data directory', () => {
  test('is refused while a live process has it, naming the directory and DATA_DIR', async () => {
    const holder = run('lock');
    await holder.line(({ locked }) => locked === true);
    const other = run('lock');
    const { refused } = await other.line((line) => line.refused !== undefined);
    expect(refused).toContain(dataDir);
    expect(refused).toContain('DATA_DIR');
  });

  test('is free again after a release and after kill -9', async () => {
    for (const end of ['close', 'kill'] as const) {
      const holder = run('lock');
      await holder.line(({ locked }) => locked === true);
      await holder[end]();
    }
    const next = run('lock');
    await expect(next.line(({ locked }) => locked === true)).resolves.toEqual({ locked: true });
  });

  test('goes to exactly one of eight processes that come at once, dead ones’ traces notwithstanding', async () => {
    const dead = run('lock');
    await dead.line(({ locked }) => locked === true);
    await dead.kill();
    const all = Array.from({ length: 8 }, () => run('lock'));
    const answers = await Promise.all(all.map((one) => one.line(() => true)));
    expect(answers.filter(({ locked }) => locked === true)).toHaveLength(1);
    expect(answers.filter(({ refused }) => refused !== undefined)).toHaveLength(7);
  });

  test('is seen by a process that the holder has no time to answer', async () => {
    const holder = run('lock');
    await holder.line(({ locked }) => locked === true);
    const [child] = children;
    child?.kill('SIGSTOP');
    const other = run('lock');
    await expect(other.line((line) => line.refused !== undefined)).resolves.toBeDefined();
    child?.kill('SIGCONT');
  });
});
