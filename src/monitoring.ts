/**
 * Where the watching parts meet the working ones: the health monitor's log lines, the metrics' sources, who may read
 * them. Nothing below knows of any of this.
 */
import type { Backends } from './backends.ts';
import type { Closers } from './closers.ts';
import type { Config } from './config/loadConfig.ts';
import { createAdminOnly, type AdminOnly } from './middleware/adminOnly.ts';
import type { Logger } from './observability/logger.ts';
import { createMetrics, type Metrics, type MetricSources } from './observability/metrics/metrics.ts';
import type { Limiter } from './rateLimit/limiter.ts';
import { anomalyKinds } from './redis/health/anomalies.ts';
import { breakersOf, nodeCounts, overallStatus, shardFigures, type HealthSources } from './redis/health/cacheHealth.ts';
import { createHealthMonitor, type HealthMonitor } from './redis/health/healthMonitor.ts';

/** What the app and its routes need of it. */
export interface Monitoring {
  readonly health: HealthSources;
  readonly metrics: Metrics;
  readonly admin: AdminOnly;
}

/** What is watched. */
export interface Monitored {
  readonly backends: Backends;
  readonly limiter: Limiter;
  readonly hasher: { stats(): ReturnType<MetricSources['resources']['hasher']> };
}

/** Starts the monitor where there is a cluster, and makes the metrics. */
export function composeMonitoring(
  config: Config,
  { backends, limiter, hasher }: Monitored,
  { logger, closers }: { logger: Logger; closers: Closers },
): Monitoring {
  const monitor = openMonitor(config, backends, logger);
  if (monitor !== undefined) closers.push('redis health monitor', () => monitor.close());
  const health: HealthSources = { backend: backends.redis, monitor };
  const metrics = createMetrics(metricSources(health, backends, hasher), { policies: [limiter.policy.name] });
  limiter.events.on('decided', metrics.decided);
  const admin = createAdminOnly({ token: config.adminToken, production: config.environment === 'production' });
  return { health, metrics, admin };
}

function openMonitor(
  { healthCheck }: Config,
  { redis, cluster, clusterTarget }: Backends,
  logger: Logger,
): HealthMonitor | undefined {
  if (cluster === undefined || clusterTarget === undefined) return undefined;
  const { nodes, username, password, tls, reachVia } = clusterTarget;
  const monitor = createHealthMonitor(
    { nodes, username, password, tls: tls === true, reachVia, report: () => redis.report() },
    healthCheck,
  );
  cluster.breakers.events.on('state', () => monitor.checkSoon());
  for (const event of ['ready', 'unavailable'] as const) cluster.events.on(event, () => monitor.checkSoon());
  monitor.events.on('changed', ({ status, reasons }, before) => {
    const level = status !== 'healthy' ? 'warn' : before === undefined ? 'debug' : 'info';
    logger[level]({ status, reasons }, 'redis cluster: health');
  });
  monitor.events.on('anomaly', ({ kind, subject, message }) =>
    logger.warn({ kind, subject }, `redis cluster: anomaly: ${message}`),
  );
  monitor.events.on('resolved', ({ kind, subject }) =>
    logger.info({ kind, subject }, 'redis cluster: anomaly resolved'),
  );
  monitor.events.on('failed', (error) => logger.error({ err: error }, 'redis cluster: health check failed: a defect'));
  return monitor;
}

function metricSources(
  health: HealthSources,
  { database }: Pick<Backends, 'database'>,
  hasher: Monitored['hasher'],
): MetricSources {
  const { backend, monitor } = health;
  return {
    redis: {
      nodes: () => nodeCounts(health),
      health: () => (({ healthy: 2, degraded: 1, unhealthy: 0 }) as const)[overallStatus(health)],
      commands: () => backend.report().operations,
      latency: () => backend.report().latency,
    },
    shards: {
      // Until the first check no shard has a number.
      breakers: () => breakersOf(health).flatMap(({ shard, state }) => (shard === null ? [] : [{ shard, state }])),
      shards: () => shardFigures(monitor?.latest()),
      anomalies: () => {
        const active = monitor?.latest()?.anomalies ?? [];
        return Object.fromEntries(anomalyKinds.map((kind) => [kind, active.filter((one) => one.kind === kind).length]));
      },
    },
    resources: { postgres: () => database.stats(), hasher: () => hasher.stats() },
  };
}
