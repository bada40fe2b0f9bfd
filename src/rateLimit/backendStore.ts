/**
 * Counters on any Redis backend (single, Upstash, memory with {@link countWindowTwin}, a chain of them): one script
 * call a count, atomic on the server. For the cluster alone redisStore.ts is the faster one.
 *
 * When the backend fails: what it throws is thrown on, at once or after `deadlineMs`, whichever comes first; the late
 * answer is dropped. A count that missed the deadline may have been made. Counts in flight are bounded.
 */
import { createAnswerDeadline } from '../redis/answerDeadline.ts';
import { RedisUnavailableError, type RedisBackend } from '../redis/backend.ts';
import type { CounterStore } from './counterStore.ts';
import { countWindowScript } from './countWindow.ts';

/** How the store counts. */
export interface BackendStoreOptions {
  readonly durationSeconds: number;
  /** Put before every key, after the backend's own prefix. */
  readonly keyPrefix: string;
  /** Milliseconds after which an answer is no longer waited for; Upstash needs its network's round trip. */
  readonly deadlineMs: number;
  /** Counts that may wait for an answer at once (10,000). */
  readonly maxInFlight?: number;
}

/** See the module's header. Reads the script's file. */
export function createBackendStore(
  backend: Pick<RedisBackend, 'runScript'>,
  { durationSeconds, keyPrefix, deadlineMs, maxInFlight = 10_000 }: BackendStoreOptions,
): CounterStore {
  const script = countWindowScript();
  const windowMs = durationSeconds * 1000;
  const deadline = createAnswerDeadline(() => undefined, { deadlineMs });
  return {
    async consume(key, points) {
      if (deadline.waiting >= maxInFlight)
        throw new RedisUnavailableError(`${maxInFlight} counts already wait for an answer`);
      const counted = backend.runScript<[number, number]>(script, [`${keyPrefix}:${key}`], [points, windowMs]);
      const [consumedPoints, msLeft] = await deadline.watch(counted);
      return { consumedPoints, msBeforeNext: Math.max(msLeft, 1) };
    },
  };
}
