/**
 * Counters on the Redis Cluster, by rate-limiter-flexible: one Lua call a request, atomic on the key's master.
 *
 * Every call has a deadline of its own, since nothing below has one that helps: a frozen master fires no error, and
 * rate-limiter-flexible only looks at the connection's status. A call that misses its deadline is rejected; its late
 * answer is dropped. It may still have counted, so one request can be charged once here and once by the insurance:
 * too strict by one for that client, never too lax.
 *
 * When the cluster fails: not connected → rejected at once. Dead master → rejected as its connection closes. Frozen
 * master → rejected after `deadlineMs`. After a few of these the shard's circuit breaker opens, and its keys are
 * rejected at once and cost nothing until a probe is answered or the slots have a new owner. In each case the topology
 * is read again soon. Calls in flight are bounded, so that a frozen master cannot collect them without end.
 */
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { createAnswerDeadline } from '../redis/answerDeadline.ts';
import type { ClusterClient } from '../redis/clusterClient.ts';
import type { CounterStore, WindowCount } from './counterStore.ts';

/** A count could not be sent: too many wait for their answer already. */
export class TooManyInFlightError extends Error {
  override readonly name = 'TooManyInFlightError';
}

/** How the store counts. */
export interface RedisStoreOptions {
  readonly points: number;
  readonly durationSeconds: number;
  /** Put before every key. */
  readonly keyPrefix: string;
  /** Milliseconds after which an answer is no longer waited for. */
  readonly deadlineMs: number;
  /** Calls that may wait for an answer at once (10,000). */
  readonly maxInFlight?: number;
}

/** See the module's header. */
export function createRedisStore(
  client: Pick<ClusterClient, 'cluster' | 'guard' | 'reportTrouble'>,
  { points, durationSeconds, keyPrefix, deadlineMs, maxInFlight = 10_000 }: RedisStoreOptions,
): CounterStore {
  const limiter = new RateLimiterRedis({
    storeClient: client.cluster,
    points,
    duration: durationSeconds,
    keyPrefix,
    rejectIfRedisNotReady: true,
  });
  const deadline = createAnswerDeadline(client.reportTrouble, { deadlineMs });

  const count = async (key: string, amount: number): Promise<WindowCount> => {
    try {
      return await limiter.consume(key, amount);
    } catch (outcome) {
      // rate-limiter-flexible rejects with a result when the limit is passed, and with an Error when the store failed.
      if (outcome instanceof RateLimiterRes) return outcome;
      client.reportTrouble();
      throw outcome;
    }
  };

  return {
    async consume(key, amount) {
      if (deadline.waiting >= maxInFlight) {
        client.reportTrouble();
        throw new TooManyInFlightError(`${maxInFlight} counts already wait for an answer`);
      }
      return client.guard(`${keyPrefix}:${key}`, () => count(key, amount), deadline);
    },
  };
}
