/**
 * One run of a transaction on one connection.
 *
 * Until COMMIT is sent, whatever goes wrong leaves nothing behind: either Postgres says ROLLBACK, or the connection is
 * destroyed and Postgres rolls back by itself. Only the time between COMMIT and its answer is ambiguous.
 */
import { within } from '../deadline.ts';
import { judge } from './errorClass.ts';
import type { Queryable } from './queryable.ts';
import type { Progress } from './retry.ts';
import type { Session } from './session.ts';

/** `timeoutMs`: longest time of one statement. `ownTimeout`: the server must be told of it too. */
export interface TransactionRun {
  readonly timeoutMs: number;
  readonly ownTimeout: boolean;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** BEGIN, `work`, COMMIT or ROLLBACK. */
export async function runTransaction<T>(
  session: Session,
  work: (tx: Queryable) => Promise<T>,
  { timeoutMs, ownTimeout, progress, signal }: TransactionRun,
): Promise<T> {
  const wait = { timeoutMs, signal };
  const doomed: { by?: Error } = {};
  let ended = false;
  const tx: Queryable = {
    query: async (text, values) => {
      // Work that was given up at its deadline may still run: it must not write into the next holder's connection.
      if (ended) throw new Error('this transaction has ended');
      try {
        return (await session.run(text, values, wait)).rows as never;
      } catch (error) {
        doomed.by ??= error as Error;
        throw error;
      }
    },
  };

  progress.stage = 'in_transaction';
  try {
    await session.run('BEGIN', undefined, wait);
    if (ownTimeout) await session.run(`SET LOCAL statement_timeout = ${Math.ceil(timeoutMs)}`, undefined, wait);
    const result = await within(signal, work(tx)).catch((error: unknown) => {
      progress.callersOwn = error;
      throw error;
    });
    if (doomed.by !== undefined) throw doomed.by;
    ended = true;
    await session.run('COMMIT', undefined, { ...wait, onSend: () => (progress.stage = 'sent') });
    return result;
  } catch (error) {
    ended = true;
    // Also after a refused COMMIT, where it changes nothing but waits until the connection is ready again. When it
    // fails, the session counts as broken and its connection is destroyed; the first error must stay visible.
    if (!session.broken) await session.run('ROLLBACK', undefined, { timeoutMs }).catch(() => undefined);
    throw mostTelling(error, doomed.by, progress);
  }
}

/** `work` may have turned a data error into one of its own; a lost or contended transaction it cannot explain away. */
function mostTelling(thrown: unknown, first: Error | undefined, progress: Progress): unknown {
  if (first === undefined || judge(first, 'in_transaction') === 'rejected') return thrown;
  delete progress.callersOwn;
  return first;
}
