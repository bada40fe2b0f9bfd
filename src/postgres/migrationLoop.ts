/**
 * Migrates in the background until it is done, so that the service can start before Postgres does.
 *
 * When Postgres is down, or not set up yet (no such database or role): tries again for ever, with backoff, and logs
 * only the changes. When a migration itself is at fault: stops, says so once, and keeps the error in `failure`.
 */
import { pause } from '../deadline.ts';
import { SluiceError } from '../errors.ts';
import type { Logger } from '../observability/logger.ts';
import type { Database } from './database.ts';
import { codeOf } from './errorClass.ts';
import { migrate } from './migrations.ts';
import { backoffMs, type RetryPolicy } from './retry.ts';

/** How far the migrations have come. */
export interface MigrationLoop {
  /** The schema is up to date. */
  readonly done: boolean;
  /** Why it will never be, unless somebody acts. */
  readonly failure: Error | undefined;
  /** Resolves, never rejects, when it is done, has failed for good or was closed. */
  readonly finished: Promise<void>;
  close(): Promise<void>;
}

const policy: RetryPolicy = { attempts: Infinity, baseMs: 200, capMs: 5000 };

/** One migration run as a whole, waits for other instances included, in ms. */
const runTimeoutMs = 600_000;

/** Wrong credentials and a missing database mend themselves while Postgres is being set up; a bad migration does not. */
function mayMend(error: unknown): boolean {
  return error instanceof SluiceError || /^(28|3D)/.test(codeOf(error) ?? '');
}

/** Starts at once. `folder`: see {@link migrate}. */
export function createMigrationLoop(
  deps: { database: Database; logger: Logger; random?: () => number },
  options: { folder?: URL } = {},
): MigrationLoop {
  const { database, logger, random = Math.random } = deps;
  const stop = new AbortController();
  let done = false;
  let failure: Error | undefined;

  async function attempt(): Promise<string[]> {
    const run = new AbortController();
    const end = () => run.abort(new SluiceError('deadline_exceeded'));
    const timer = setTimeout(end, runTimeoutMs);
    stop.signal.addEventListener('abort', end, { once: true });
    try {
      return await migrate(database, { signal: run.signal, ...options });
    } finally {
      clearTimeout(timer);
      stop.signal.removeEventListener('abort', end);
    }
  }

  async function loop(): Promise<void> {
    let waitingBecause: string | undefined;
    for (let tries = 1; !stop.signal.aborted; tries++) {
      try {
        const applied = await attempt();
        done = true;
        if (applied.length > 0 || waitingBecause) logger.info({ applied }, 'the database schema is up to date');
        return;
      } catch (error) {
        if (stop.signal.aborted) return;
        if (!mayMend(error)) {
          failure = error as Error;
          logger.error({ code: codeOf(error), reason: failure.message }, 'the database cannot be migrated; giving up');
          return;
        }
        const because = codeOf(error) ?? 'unknown';
        if (because !== waitingBecause) logger.warn({ code: because }, 'waiting for the database to migrate it');
        waitingBecause = because;
      }
      await pause(backoffMs(tries, random, policy), stop.signal).catch(() => undefined);
    }
  }

  const finished = loop();
  return {
    get done() {
      return done;
    },
    get failure() {
      return failure;
    },
    finished,
    close: async () => {
      stop.abort();
      await finished;
    },
  };
}
