/**
 * The right to hold one of the pool's connections, first come first served, bounded in time and number.
 *
 * pg.Pool has a waiting queue of its own, but its one timeout covers the wait for a free connection and the making of
 * a new one alike, so that "too busy" and "unreachable" look the same (node-postgres #2712). With a slot in hand,
 * `pool.connect()` never waits for another holder: whatever fails then is the connection's fault.
 */
import { SluiceError } from '../errors.ts';

/** Slots to hold connections by. */
export interface Slots {
  /**
   * Waits for a slot; the function returned gives it back, once.
   * @throws {SluiceError} `overloaded` when none comes free in time; the signal's reason when it is aborted.
   */
  take(signal: AbortSignal): Promise<() => void>;
  /** How many wait now. */
  readonly waiting: number;
  /** Refuses everybody who waits, with `reason`. */
  refuse(reason: Error): void;
}

/** `waitMs`: longest wait. `maxWaiting`: how many may wait at once. */
export function createSlots(size: number, options: { waitMs: number; maxWaiting: number }): Slots {
  let free = size;
  const queue = new Set<{ grant: () => void; fail: (reason: Error) => void }>();

  const handOver = (): (() => void) => {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const [next] = queue;
      if (next === undefined) free++;
      else next.grant();
    };
  };

  return {
    take(signal) {
      signal.throwIfAborted();
      if (free > 0) {
        free--;
        return Promise.resolve(handOver());
      }
      if (queue.size >= options.maxWaiting) return Promise.reject(tooBusy());
      return new Promise((resolve, reject) => {
        const leave = () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', onAbort);
          queue.delete(waiter);
        };
        const waiter = {
          grant: () => (leave(), resolve(handOver())),
          fail: (reason: Error) => (leave(), reject(reason)),
        };
        const onAbort = () => waiter.fail(signal.reason as Error);
        const timer = setTimeout(() => waiter.fail(tooBusy()), options.waitMs);
        signal.addEventListener('abort', onAbort, { once: true });
        queue.add(waiter);
      });
    },
    get waiting() {
      return queue.size;
    },
    refuse(reason) {
      for (const waiter of [...queue]) waiter.fail(reason);
    },
  };
}

function tooBusy(): SluiceError {
  return new SluiceError('overloaded', { detail: 'All database connections are busy.', retryAfterSeconds: 1 });
}
