/** Metrics of the service itself: decisions of the rate limit, HTTP durations, Postgres pool, password hasher. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** The part of a limiter's decision that is counted. */
export interface CountedDecision {
  /** Policies are named in the code or the configuration, never by a client. */
  readonly policy: { readonly name: string };
  readonly allowed: boolean;
  readonly countedBy: 'store' | 'insurance';
}

/** Registers the counter of decisions; call the result for each. The `policies` show from the start, at 0. */
export function registerLimiterMetrics(
  registry: Registry,
  policies: readonly string[],
): (decision: CountedDecision) => void {
  const decisions = new Counter({
    name: 'rate_limit_decisions_total',
    help: 'Decisions of the rate limit by policy, outcome, and who counted: the shared store or this process (insurance).',
    labelNames: ['policy', 'outcome', 'counted_by'],
    registers: [registry],
  });
  for (const policy of policies) {
    for (const outcome of ['allowed', 'refused']) {
      for (const counted_by of ['store', 'insurance']) decisions.inc({ policy, outcome, counted_by }, 0);
    }
  }
  return ({ policy, allowed, countedBy }) => {
    decisions.inc({ policy: policy.name, outcome: allowed ? 'allowed' : 'refused', counted_by: countedBy });
  };
}

/** One answered request. All three are bounded sets: see `http/requestMetrics.ts`. */
export interface AnsweredRequest {
  readonly method: string;
  /** The route's template, e.g. `/users/:id`. */
  readonly route: string;
  /** `2xx`, …, or `aborted`. */
  readonly status: string;
  readonly seconds: number;
}

const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10];

/** Registers the histogram of HTTP durations; call the result for each answered request. */
export function registerHttpMetrics(registry: Registry): (request: AnsweredRequest) => void {
  const durations = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the request to the end of its answer, by method, route template and class of status.',
    labelNames: ['method', 'route', 'status'],
    buckets: durationBuckets,
    registers: [registry],
  });
  return ({ seconds, ...labels }) => durations.observe(labels, seconds);
}

/** What is measured of what requests wait for; each call is cheap. */
export interface ResourceSource {
  /** Connections held, idle ones among them, and callers waiting for one. */
  postgres(): { readonly total: number; readonly idle: number; readonly waiting: number };
  /** `shed` counts from the start. */
  hasher(): { readonly running: number; readonly waiting: number; readonly shed: number };
}

/** Registers the Postgres pool's and the password hasher's figures. */
export function registerResourceMetrics(registry: Registry, source: ResourceSource): void {
  const registers = [registry];
  new Gauge({
    name: 'postgres_pool_connections',
    help: 'Connections to Postgres by state.',
    labelNames: ['state'],
    registers,
    collect() {
      const { total, idle } = source.postgres();
      this.set({ state: 'idle' }, idle);
      this.set({ state: 'busy' }, total - idle);
    },
  });
  new Gauge({
    name: 'postgres_pool_waiting',
    help: 'Callers that wait for a connection to Postgres.',
    registers,
    collect() {
      this.set(source.postgres().waiting);
    },
  });
  new Gauge({
    name: 'password_hasher_jobs',
    help: 'Password hashes that run and that wait.',
    labelNames: ['state'],
    registers,
    collect() {
      const { running, waiting } = source.hasher();
      this.set({ state: 'running' }, running);
      this.set({ state: 'waiting' }, waiting);
    },
  });
  new Counter({
    name: 'password_hasher_shed_total',
    help: 'Password hashes that were refused because they would have waited too long.',
    registers,
    collect() {
      this.reset();
      this.inc(source.hasher().shed);
    },
  });
}
