/**
 * Runs an attempt again while that is safe and makes sense, with exponential backoff and full jitter
 * (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
 *
 * Invariants: at most `attempts` tries; no pause outlives the signal; what may have been done is sent again only when
 * the caller declared it repeatable; and once a write may have been done, no later failure says that it was not.
 */
import { pause } from '../deadline.ts';
import { SluiceError } from '../errors.ts';
import { judge, type Stage, type Verdict } from './errorClass.ts';

/** How often and how fast to try. */
export interface RetryPolicy {
  /** Tries in all, the first included. */
  readonly attempts: number;
  /** Upper bound of the first pause, in ms; it doubles with each try. */
  readonly baseMs: number;
  /** Upper bound of every pause, in ms. */
  readonly capMs: number;
}

/** About 4 s of pauses on average: longer than a restart of Postgres, shorter than a request's deadline. */
export const defaultPolicy: RetryPolicy = { attempts: 12, baseMs: 25, capMs: 1000 };

/** The pause in ms after failed try number `attempt` (from 1): uniform between 0 and the doubled, capped base. */
export function backoffMs(attempt: number, random: () => number, { baseMs, capMs }: RetryPolicy): number {
  return random() * Math.min(capMs, baseMs * 2 ** (attempt - 1));
}

/** What one try tells the loop while it runs. */
export interface Progress {
  stage: Stage;
  /** What the caller's own code threw inside a transaction: never taken for the database's, whatever code it carries. */
  callersOwn?: unknown;
}

/** What may be sent twice without harm, and whether it leaves something behind. */
export type Repeatable = 'read' | 'write';

/** What the loop needs besides the attempt. */
export interface RetryContext {
  /** `undefined`: a write that must not be sent twice. */
  readonly repeatable: Repeatable | undefined;
  readonly signal: AbortSignal;
  readonly policy: RetryPolicy;
  readonly random: () => number;
  /** Told of each failure, before the pause. */
  readonly onFailure: (error: unknown, verdict: Verdict, stage: Stage) => void;
}

/**
 * @throws {SluiceError} `database_unavailable`, `overloaded`, `outcome_unknown`; the signal's reason;
 * or the attempt's own error where the statement is at fault.
 */
export async function withRetry<T>(attempt: (progress: Progress) => Promise<T>, context: RetryContext): Promise<T> {
  const { repeatable, signal, policy, random, onFailure } = context;
  const writes = repeatable !== 'read';
  let unreachable: unknown;
  let mayBeDone = false;
  for (let tries = 1; ; tries++) {
    const progress: Progress = { stage: 'connecting' };
    try {
      return await attempt(progress);
    } catch (error) {
      if (progress.callersOwn !== undefined && error === progress.callersOwn) throw error;
      if (signal.aborted && error === signal.reason) {
        if (writes && (mayBeDone || progress.stage === 'sent')) throw unknownOutcome(error);
        throw progress.stage === 'connecting' && unreachable !== undefined ? unavailable(unreachable) : error;
      }
      const verdict = judge(error, progress.stage);
      onFailure(error, verdict, progress.stage);
      mayBeDone ||= verdict === 'unknown';
      if (!mayRepeat(verdict, repeatable) || tries >= policy.attempts) {
        throw writes && mayBeDone && verdict !== 'rejected' ? unknownOutcome(error) : final(error, verdict);
      }
      unreachable = verdict === 'unreachable' ? error : undefined;
    }
    // Cut short by the signal: the next try finds it aborted, and says why.
    await pause(backoffMs(tries, random, policy), signal).catch(() => undefined);
  }
}

function mayRepeat(verdict: Verdict, repeatable: Repeatable | undefined): boolean {
  return verdict === 'unreachable' || verdict === 'contended' || (verdict === 'unknown' && repeatable !== undefined);
}

function final(error: unknown, verdict: Verdict): unknown {
  switch (verdict) {
    case 'rejected':
      return error;
    case 'unknown':
    case 'unreachable':
      return unavailable(error);
    case 'contended':
    case 'overloaded':
      return error instanceof SluiceError
        ? error
        : new SluiceError('overloaded', { retryAfterSeconds: 1, cause: error });
  }
}

function unknownOutcome(cause: unknown): SluiceError {
  return new SluiceError('outcome_unknown', { cause });
}

function unavailable(cause: unknown): SluiceError {
  return new SluiceError('database_unavailable', { retryAfterSeconds: 1, cause });
}
