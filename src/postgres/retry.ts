/**
 * Runs an attempt again while that is safe and makes sense, with exponential backoff and full jitter
 * (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
 *
 * Invariants: at most `attempts` tries; no pause outlives the signal; what may have been done is sent again only when
 * the caller declared it idempotent.
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

/** What the loop needs besides the attempt. */
export interface RetryContext {
  readonly idempotent: boolean;
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
  const { idempotent, signal, policy, random, onFailure } = context;
  let unreachable: unknown;
  for (let tries = 1; ; tries++) {
    const progress: Progress = { stage: 'connecting' };
    try {
      return await attempt(progress);
    } catch (error) {
      if (progress.callersOwn !== undefined && error === progress.callersOwn) throw error;
      if (signal.aborted && error === signal.reason) {
        if (progress.stage === 'connecting' && unreachable !== undefined) throw unavailable(unreachable);
        throw abortOutcome(error, progress.stage, idempotent);
      }
      const verdict = judge(error, progress.stage);
      onFailure(error, verdict, progress.stage);
      if (!mayRepeat(verdict, idempotent) || tries >= policy.attempts) throw final(error, verdict, idempotent);
      unreachable = verdict === 'unreachable' ? error : undefined;
    }
    // Cut short by the signal: the next try finds it aborted, and says why.
    await pause(backoffMs(tries, random, policy), signal).catch(() => undefined);
  }
}

function mayRepeat(verdict: Verdict, idempotent: boolean): boolean {
  return verdict === 'unreachable' || verdict === 'contended' || (verdict === 'unknown' && idempotent);
}

/** The wait was given up: honest about a statement that was already on its way. */
function abortOutcome(reason: unknown, stage: Stage, idempotent: boolean): unknown {
  return stage === 'sent' && !idempotent ? new SluiceError('outcome_unknown', { cause: reason }) : reason;
}

function final(error: unknown, verdict: Verdict, idempotent: boolean): unknown {
  switch (verdict) {
    case 'rejected':
      return error;
    case 'unknown':
      return idempotent ? unavailable(error) : new SluiceError('outcome_unknown', { cause: error });
    case 'unreachable':
      return unavailable(error);
    case 'contended':
    case 'overloaded':
      return error instanceof SluiceError ? error : new SluiceError('overloaded', { retryAfterSeconds: 1, cause: error });
  }
}

function unavailable(cause: unknown): SluiceError {
  return new SluiceError('database_unavailable', { retryAfterSeconds: 1, cause });
}
