/**
 * Decides whether a request passes: counted on Redis, and by this process's insurance while Redis does not answer.
 *
 * A store that fails never refuses anyone: only a count over the limit does. The insurance starts from zero and knows
 * only this process, so the worst overshoot of an outage is one limit per process and window on top of what Redis had
 * already let pass; afterwards Redis's own counts hold again (proven in tests/chaos/limiterFailover.test.ts).
 */
import { EventEmitter } from 'node:events';
import type { CounterStore } from './counterStore.ts';

/** A named limit: `points` requests in `durationSeconds` seconds. */
export interface Policy {
  /** Shown to clients in the RateLimit fields. */
  readonly name: string;
  readonly points: number;
  readonly durationSeconds: number;
}

/** The answer to "may this request pass?". */
export interface Decision {
  readonly policy: Policy;
  readonly allowed: boolean;
  /** Points left in the window; never negative. */
  readonly remaining: number;
  /** Milliseconds until the window ends. */
  readonly msBeforeNext: number;
  readonly countedBy: 'store' | 'insurance';
}

/** `decided`: every decision. `insured`: the insurance has taken over (with the reason). `restored`: the store answers again. */
export interface LimiterEvents {
  decided: [decision: Decision];
  insured: [reason: Error];
  restored: [];
}

/** See the module's header. Listen to `events` for log lines; nothing is logged here. */
export interface Limiter {
  readonly policy: Policy;
  readonly events: EventEmitter<LimiterEvents>;
  /** True while some keys are counted by the insurance. */
  readonly insured: boolean;
  consume(key: string, points?: number): Promise<Decision>;
}

/** How long without a failure until the store counts as restored: one shard's failures alternate with others' success. */
const calmMs = 1000;

/** Makes a limiter over `store`; without an `insurance` (memory as the store) there is nothing to fall back from. */
export function createLimiter(
  {
    store,
    insurance,
    now = () => performance.now(),
  }: { store: CounterStore; insurance?: CounterStore; now?: () => number },
  policy: Policy,
): Limiter {
  const events = new EventEmitter<LimiterEvents>();
  let lastFailureAt: number | undefined;

  const failed = (reason: Error) => {
    const first = lastFailureAt === undefined;
    lastFailureAt = now();
    if (first) events.emit('insured', reason);
  };
  const succeeded = () => {
    if (lastFailureAt === undefined || now() - lastFailureAt < calmMs) return;
    lastFailureAt = undefined;
    events.emit('restored');
  };

  const count = async (key: string, points: number) => {
    try {
      const window = await store.consume(key, points);
      succeeded();
      return { window, countedBy: 'store' as const };
    } catch (error) {
      if (insurance === undefined) throw error;
      failed(error as Error);
      return { window: await insurance.consume(key, points), countedBy: 'insurance' as const };
    }
  };

  return {
    policy,
    events,
    get insured() {
      return lastFailureAt !== undefined;
    },
    async consume(key, points = 1) {
      const { window, countedBy } = await count(key, points);
      const decision: Decision = {
        policy,
        allowed: window.consumedPoints <= policy.points,
        remaining: Math.max(policy.points - window.consumedPoints, 0),
        msBeforeNext: Math.max(window.msBeforeNext, 1),
        countedBy,
      };
      events.emit('decided', decision);
      return decision;
    },
  };
}
