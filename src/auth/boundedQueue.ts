/**
 * Runs expensive work, bounded in number and in waiting time.
 *
 * Invariants:
 * - never more than `concurrency` pieces of work at once; a slot is held until its work ends, even when the caller
 *   has stopped waiting, because the thread is busy until then;
 * - waiters are served in their order, and none waits longer than `maxWaitMs`;
 * - the queue cannot grow without bound: who would wait longer than `maxWaitMs`, going by recent work, is refused at once.
 *
 * When work fails: its caller gets the error, the slot is free again. When a waiter's signal is aborted: it leaves the
 * queue. After `close()`: waiters and newcomers are refused with `shutting_down`, running work is waited for.
 */
import { within } from '../deadline.ts';
import { SluiceError } from '../errors.ts';

/** Bounds of a {@link BoundedQueue}. */
export interface QueueOptions {
  readonly concurrency: number;
  readonly maxWaitMs: number;
  /** First guess at how long a piece of work takes, in ms; replaced by what is measured. */
  readonly expectedWorkMs: number;
}

/** A queue's figures. `shed` and `completed` count from the start; `meanWorkMs` is of recent work, in ms. */
export interface QueueStats {
  readonly running: number;
  readonly waiting: number;
  readonly shed: number;
  readonly completed: number;
  readonly meanWorkMs: number;
}

interface Waiter {
  readonly admit: () => void;
  readonly refuse: (error: Error) => void;
}

/** Weight of the newest measurement in the mean: about the last ten count. */
const newestWeight = 0.2;
/** The mean never falls below this, in ms, so that a queue of instant work is bounded too. */
const leastWorkMs = 0.1;

/** See the head of this file. */
export class BoundedQueue {
  readonly #clock: () => number;
  readonly #options: QueueOptions;
  readonly #waiters = new Set<Waiter>();
  readonly #idle: (() => void)[] = [];
  #meanWorkMs: number;
  #running = 0;
  #shed = 0;
  #completed = 0;
  #closed = false;

  /** @param clock milliseconds, monotonic. */
  constructor(clock: () => number, options: QueueOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#meanWorkMs = options.expectedWorkMs;
  }

  /**
   * Runs `work` when its turn comes.
   * @throws {SluiceError} `overloaded` with `retryAfterSeconds`, or `shutting_down`; the signal's reason; what `work` throws.
   */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    if (this.#closed) throw new SluiceError('shutting_down');
    if (this.#running < this.#options.concurrency) this.#running += 1;
    else await this.#wait(signal);
    return within(signal, this.#work(work));
  }

  stats(): QueueStats {
    return {
      running: this.#running,
      waiting: this.#waiters.size,
      shed: this.#shed,
      completed: this.#completed,
      meanWorkMs: this.#meanWorkMs,
    };
  }

  /** True while the next piece of work would start at once. */
  hasFreeSlot(): boolean {
    return !this.#closed && this.#running < this.#options.concurrency;
  }

  /** Refuses who waits, resolves when nothing runs. Safe to call again. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const waiter of [...this.#waiters]) waiter.refuse(new SluiceError('shutting_down'));
    if (this.#running > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #expectedWaitMs(): number {
    return (this.#waiters.size * Math.max(this.#meanWorkMs, leastWorkMs)) / this.#options.concurrency;
  }

  /** Resolves with a slot in hand. */
  async #wait(signal: AbortSignal | undefined): Promise<void> {
    if (this.#expectedWaitMs() > this.#options.maxWaitMs) throw this.#overloaded();
    return new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        this.#waiters.delete(waiter);
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      const refuse = (error: Error): void => {
        leave();
        reject(error);
      };
      const onAbort = (): void => refuse(signal?.reason as Error);
      const timer = setTimeout(() => refuse(this.#overloaded()), this.#options.maxWaitMs);
      const waiter: Waiter = {
        refuse,
        admit: () => {
          leave();
          resolve();
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiters.add(waiter);
    });
  }

  async #work<T>(work: () => Promise<T>): Promise<T> {
    const startedAt = this.#clock();
    try {
      return await work();
    } finally {
      this.#completed += 1;
      this.#meanWorkMs += newestWeight * (this.#clock() - startedAt - this.#meanWorkMs);
      this.#release();
    }
  }

  /** Hands the slot to the next waiter, so that a newcomer can never overtake it. */
  #release(): void {
    const [next] = this.#waiters;
    if (next !== undefined) return next.admit();
    this.#running -= 1;
    if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  #overloaded(): SluiceError {
    this.#shed += 1;
    const retryAfterSeconds = Math.max(1, Math.ceil(this.#expectedWaitMs() / 1000));
    return new SluiceError('overloaded', { retryAfterSeconds });
  }
}
