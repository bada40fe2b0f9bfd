/**
 * All metrics of one service: made by a factory, in registries of their own (prom-client's global one stays empty).
 * `cluster` holds what `GET /metrics/redis-cluster` shows; `all` that and everything else.
 *
 * prom-client's default process metrics (event-loop lag, memory, CPU, GC) watch the process and cannot be stopped; they
 * keep no process alive. So make one of these a process; tests that need several leave `processMetrics` off.
 */
import { collectDefaultMetrics, Registry } from 'prom-client';
import {
  registerRedisClusterMetrics,
  registerShardMetrics,
  type RedisClusterSource,
  type ShardSource,
} from './redisClusterMetrics.ts';
import {
  registerHttpMetrics,
  registerLimiterMetrics,
  registerResourceMetrics,
  type AnsweredRequest,
  type CountedDecision,
  type ResourceSource,
} from './serviceMetrics.ts';

/** Where the figures come from. */
export interface MetricSources {
  readonly redis: RedisClusterSource;
  readonly shards: ShardSource;
  readonly resources: ResourceSource;
}

/** See the module's header. */
export interface Metrics {
  /** Called for each decision of a limiter. */
  readonly decided: (decision: CountedDecision) => void;
  /** Called for each answered request. */
  readonly answered: (request: AnsweredRequest) => void;
  /** The text of a scrape, Prometheus text format 0.0.4. */
  exposition(which: 'all' | 'cluster'): Promise<string>;
  /** Content-Type of the text. */
  readonly contentType: string;
}

/** What differs from service to service. */
export interface MetricsOptions {
  /** Names of the rate limit's policies. */
  readonly policies?: readonly string[];
  /** See the module's header; true unless given. */
  readonly processMetrics?: boolean;
}

/** Makes the registries. */
export function createMetrics(sources: MetricSources, options: MetricsOptions = {}): Metrics {
  const cluster = new Registry();
  registerRedisClusterMetrics(cluster, sources.redis);
  const service = new Registry();
  registerShardMetrics(service, sources.shards);
  const decided = registerLimiterMetrics(service, options.policies ?? []);
  const answered = registerHttpMetrics(service);
  registerResourceMetrics(service, sources.resources);
  if (options.processMetrics !== false) collectDefaultMetrics({ register: service });
  return {
    decided,
    answered,
    contentType: cluster.contentType,
    async exposition(which) {
      if (which === 'cluster') return cluster.metrics();
      const texts = await Promise.all([cluster.metrics(), service.metrics()]);
      return texts.join('\n');
    },
  };
}
