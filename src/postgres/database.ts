/**
 * The one way to Postgres: a bounded pool whose every wait has an end, and retries that never do a thing twice.
 *
 * Invariants
 * - An answer is never guessed. What may have been done and may not be repeated is `outcome_unknown`.
 * - Every statement has a deadline on both sides: `statement_timeout` in the startup packet, and a timer here that
 *   destroys the connection. (PgBouncer in front: add it to `ignore_startup_parameters`, then only the timer is left.)
 * - The wait for a connection, the number of waiters, the number of tries and their time are all bounded.
 * - Retries happen here only; callers say what may be repeated and nothing else.
 *
 * When Postgres fails
 * - down or restarting: retries with backoff, then `database_unavailable`; it recovers by itself
 * - frozen or cut off: the timer ends the wait, the connection is destroyed, then as above
 * - slow or out of connections: `overloaded`, never a retry
 * - an idle connection dies: it leaves the pool; nothing else happens
 *
 * Inside a transaction use its own `tx`: a second connection asked for meanwhile may be the one that never comes free.
 */
import pg from 'pg';
import { deadlineError, within } from '../deadline.ts';
import { SluiceError } from '../errors.ts';
import type { Logger } from '../observability/logger.ts';
import { codeOf, type Stage, type Verdict } from './errorClass.ts';
import type { Queryable } from './queryable.ts';
import { defaultPolicy, withRetry, type Progress, type RetryPolicy, type Repeatable } from './retry.ts';
import { destroySocket, Session } from './session.ts';
import { createSlots } from './slots.ts';
import { runTransaction } from './transaction.ts';

/** How a statement or a transaction may be treated. */
export interface QueryOptions {
  /**
   * May be sent twice without harm: a read, or a write that comes out the same (an upsert by a client-made id).
   * A write that failed for good after a try that may have reached the database is `outcome_unknown`; any other error
   * of the database means that nothing was written. A read has no outcome to be unknown.
   */
  readonly repeatable?: Repeatable;
  /** Until when the answer is wanted. Without one, an own ceiling holds. */
  readonly signal?: AbortSignal;
}

/** How a transaction may be treated. */
export interface TransactionOptions extends QueryOptions {
  /** Longest time of each statement in ms, in place of `queryTimeoutMs`. */
  readonly statementTimeoutMs?: number;
}

/** Postgres, as the rest of the service sees it. All errors of its own are {@link SluiceError}s. */
export interface Database {
  /** @throws {SluiceError} and, untouched, the `pg.DatabaseError` of a statement that is itself at fault (22…, 23…, 42…). */
  query<Row extends object>(text: string, values?: readonly unknown[], options?: QueryOptions): Promise<Row[]>;
  /**
   * BEGIN, `work`, COMMIT; ROLLBACK when `work` throws. `work` may run several times, so it must have no effect but
   * through `tx`. One failed statement dooms the transaction, as in Postgres, even if `work` goes on.
   */
  transaction<T>(work: (tx: Queryable) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /** One `SELECT 1`, one try. */
  ping(signal?: AbortSignal): Promise<void>;
  /** Connections held, idle ones among them, and callers waiting for one. */
  stats(): { total: number; idle: number; waiting: number };
  /** Refuses new work, waits for what runs (each has a deadline), closes the connections. */
  close(): Promise<void>;
}

/** `poolSize` connections at most; times in ms. */
export interface DatabaseOptions {
  readonly url: string;
  readonly poolSize: number;
  readonly connectTimeoutMs: number;
  readonly queryTimeoutMs: number;
}

const once: RetryPolicy = { ...defaultPolicy, attempts: 1 };

/** Makes the pool. Connects to nothing yet, so it succeeds while Postgres is down. */
export function createDatabase(deps: { logger: Logger; random?: () => number }, options: DatabaseOptions): Database {
  const { logger, random = Math.random } = deps;
  const { poolSize, connectTimeoutMs, queryTimeoutMs } = options;
  // A few full rounds of the pool: whoever stands behind them would not be served in time anyway.
  const slots = createSlots(poolSize, { waitMs: connectTimeoutMs, maxWaiting: Math.max(100, poolSize * 50) });
  const ceilingMs = connectTimeoutMs + 2 * queryTimeoutMs;
  const pool = new pg.Pool({
    connectionString: options.url,
    max: poolSize,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: queryTimeoutMs,
    idle_in_transaction_session_timeout: ceilingMs,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    application_name: 'sluice',
  });
  const open = new Set<pg.ClientBase>();
  let closing: Promise<void> | undefined;
  let reachable = true;

  // Without these two, a connection that dies (idle: pool, in use: client) would end the process.
  pool.on('error', (error) => logger.debug({ code: codeOf(error) }, 'an idle Postgres connection was lost'));
  pool.on('connect', (client) => {
    client.on('error', (error) => logger.debug({ code: codeOf(error) }, 'a Postgres connection was lost'));
    open.add(client);
    client.once('end', () => open.delete(client));
    if (!reachable) logger.info('Postgres can be reached again');
    reachable = true;
  });

  const onFailure = (error: unknown, verdict: Verdict, stage: Stage): void => {
    if (verdict !== 'unreachable' || stage !== 'connecting' || !reachable) return;
    reachable = false;
    logger.warn({ code: codeOf(error), reason: (error as Error).message }, 'Postgres cannot be reached');
  };

  /** A slot, then a connection; `release` undoes both. */
  async function connect(signal: AbortSignal): Promise<{ session: Session; release: () => void }> {
    if (closing) throw new SluiceError('shutting_down');
    const giveBack = await slots.take(signal);
    const connecting = closing ? Promise.reject<pg.PoolClient>(new SluiceError('shutting_down')) : pool.connect();
    try {
      const session = new Session(await within(signal, connecting));
      return { session, release: () => (session.release(), giveBack()) };
    } catch (error) {
      // The pool goes on connecting when only the wait was given up: the slot is free when that ends.
      connecting
        .then((client) => client.release())
        .catch(() => undefined)
        .finally(giveBack);
      throw error;
    }
  }

  async function attempt<T>(
    { signal, repeatable }: QueryOptions,
    policy: RetryPolicy,
    work: (session: Session, progress: Progress, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const ceiling = new AbortController();
    const timer = signal ? undefined : setTimeout(() => ceiling.abort(deadlineError(ceilingMs)), ceilingMs);
    const until = signal ?? ceiling.signal;
    try {
      return await withRetry(
        async (progress) => {
          const { session, release } = await connect(until);
          try {
            return await work(session, progress, until);
          } finally {
            release();
          }
        },
        { repeatable, signal: until, policy, random, onFailure },
      );
    } finally {
      clearTimeout(timer);
    }
  }

  const query = async <Row extends object>(
    text: string,
    values: readonly unknown[] | undefined,
    options: QueryOptions,
    policy: RetryPolicy,
  ): Promise<Row[]> =>
    attempt(options, policy, async (session, progress, signal) => {
      const onSend = () => (progress.stage = 'sent');
      return (await session.run(text, values, { timeoutMs: queryTimeoutMs, signal, onSend })).rows as Row[];
    });

  async function shutDown(): Promise<void> {
    slots.refuse(new SluiceError('shutting_down'));
    await pool.end();
    const goodbye = new Promise<void>((resolve) => setTimeout(resolve, 1000).unref());
    await Promise.race([
      goodbye,
      Promise.all([...open].map((client) => new Promise((end) => client.once('end', end)))),
    ]);
    for (const client of open) destroySocket(client);
  }

  return {
    query: (text, values, options = {}) => query(text, values, options, defaultPolicy),
    transaction: (work, options = {}) =>
      attempt(options, defaultPolicy, (session, progress, signal) =>
        runTransaction(session, work, {
          timeoutMs: options.statementTimeoutMs ?? queryTimeoutMs,
          ownTimeout: options.statementTimeoutMs !== undefined,
          progress,
          signal,
        }),
      ),
    ping: async (signal) => {
      await query('SELECT 1', undefined, { repeatable: 'read', ...(signal && { signal }) }, once);
    },
    stats: () => ({ total: pool.totalCount, idle: pool.idleCount, waiting: slots.waiting }),
    close: () => (closing ??= shutDown()),
  };
}
