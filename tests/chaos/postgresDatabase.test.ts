import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { deadlineError } from '../../src/deadline.ts';
import { SluiceError } from '../../src/errors.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { createDatabase, type Database } from '../../src/postgres/database.ts';
import { startPostgres, type TestPostgres } from '../environment/postgres.ts';
import { childrenOf } from '../environment/processes.ts';

const logger = createLogger({ level: 'silent', format: 'json' });
let postgres: TestPostgres;
let database: Database;

beforeAll(async () => {
  postgres = await startPostgres();
  database = createDatabase(
    { logger },
    { url: postgres.url, poolSize: 10, connectTimeoutMs: 2000, queryTimeoutMs: 2000 },
  );
  await database.query('CREATE TABLE entries (id uuid PRIMARY KEY, twin uuid)');
});

afterAll(async () => {
  await database.close();
  await postgres.stop();
});

type Outcome = 'done' | 'unknown' | 'failed';

/** What callers of inserts were told, by id. */
const told = new Map<string, Outcome>();
/** How often each answer was given. */
const answers = new Map<string, number>();
/** Errors that should not reach a caller; as text, for their objects are huge. */
const strangers: string[] = [];

const count = (answer: string) => answers.set(answer, (answers.get(answer) ?? 0) + 1);

async function note(id: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
    told.set(id, 'done');
    count('insert: done');
  } catch (error) {
    const code = codeOf(error);
    told.set(id, code === 'outcome_unknown' ? 'unknown' : 'failed');
    count(`insert: ${code}`);
  }
}

function codeOf(error: unknown): string {
  if (error instanceof SluiceError) return error.code;
  strangers.push(String(error));
  return 'another error';
}

/** One kind of work after the other until `stop`: inserts with and without a deadline, transactions, reads. */
async function load(worker: number, stop: AbortSignal): Promise<void> {
  const insert = 'INSERT INTO entries (id) VALUES ($1)';
  for (let turn = worker; !stop.aborted; turn++) {
    const id = randomUUID();
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(deadlineError(700)), 700);
    const { signal } = deadline;
    if (turn % 4 === 0) await note(id, () => database.query(insert, [id]));
    else if (turn % 4 === 1) await note(id, () => database.query(insert, [id], { signal }));
    else if (turn % 4 === 2) {
      await note(id, () =>
        database.transaction(async (tx) => {
          await tx.query(insert, [id]);
          await tx.query('INSERT INTO entries (id, twin) VALUES ($1, $2)', [randomUUID(), id]);
        }),
      );
    } else {
      await database.query('SELECT 1 FROM entries LIMIT 1', [], { repeatable: 'read', signal }).then(
        () => count('read: done'),
        (error: unknown) => count(`read: ${codeOf(error)}`),
      );
    }
    clearTimeout(timer);
    await pause(2);
  }
}

test('Postgres killed and restarted under load: no answer lies, and it recovers by itself', async () => {
  const stop = new AbortController();
  const workers = Array.from({ length: 20 }, (_, worker) => load(worker, stop.signal));
  try {
    for (const outageMs of [0, 800, 7000]) {
      await pause(700);
      await postgres.kill();
      await pause(outageMs);
      await postgres.restart();
    }
    await pause(1500);
  } finally {
    stop.abort();
    await Promise.all(workers);
  }
  process.stdout.write(`${JSON.stringify(Object.fromEntries(answers))}\n`);

  expect(strangers).toEqual([]);
  await expect(database.ping()).resolves.toBeUndefined();
  const rows = await database.query<{ id: string; twin: string | null }>('SELECT id, twin FROM entries');
  const there = new Set(rows.map(({ id }) => id));
  const idsTold = (wanted: Outcome) => [...told].filter(([, outcome]) => outcome === wanted).map(([id]) => id);
  expect(idsTold('done').filter((id) => !there.has(id))).toEqual([]);
  expect(idsTold('failed').filter((id) => there.has(id))).toEqual([]);
  // A transaction's second row never stands without the first.
  expect(rows.filter(({ twin }) => twin !== null && !there.has(twin))).toEqual([]);
  expect(idsTold('done').length).toBeGreaterThan(200);
  expect(idsTold('failed').length).toBeGreaterThan(0);
}, 120_000);

test('a frozen Postgres: every caller has an answer in time, and all is well when it goes on', async () => {
  await database.ping();
  // An open connection is served by a process of its own.
  const frozen = [postgres.pid, ...childrenOf(postgres.pid)];
  for (const pid of frozen) process.kill(pid, 'SIGSTOP');
  try {
    const startedAt = performance.now();
    const codes = await Promise.all(
      Array.from({ length: 15 }, () => database.query('SELECT 1').then(() => 'done', codeOf)),
    );
    expect(performance.now() - startedAt).toBeLessThan(30_000);
    expect(
      codes.every((code) =>
        ['outcome_unknown', 'database_unavailable', 'overloaded', 'deadline_exceeded'].includes(code),
      ),
    ).toBe(true);
  } finally {
    for (const pid of frozen) process.kill(pid, 'SIGCONT');
  }
  await expect(database.query('SELECT 1 AS one', [], { repeatable: 'read' })).resolves.toEqual([{ one: 1 }]);
}, 120_000);
