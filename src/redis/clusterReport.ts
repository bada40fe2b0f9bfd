/** The cluster's counters in the shapes that health and metrics show; nothing is asked of the servers. */
import type { BackendReport, NodeReport } from './backend.ts';
import type { ClusterClient } from './clusterClient.ts';
import type { ClusterStats } from './clusterStats.ts';
import type { ShardBreakers } from './shardBreakers.ts';

/** One node with what only this client knows of it. */
export interface ClusterNodeStatistics extends NodeReport {
  /** ISO 8601; undefined before the first. */
  readonly lastHealthCheck: string | undefined;
  readonly recentLatencySeconds: number;
}

/** What `getStats` answers. */
export interface ClusterStatistics extends BackendReport {
  readonly nodes: readonly ClusterNodeStatistics[];
}

/** What `getMetrics` answers: ready to be exposed. */
export interface ClusterMetrics {
  readonly nodes: {
    readonly total: number;
    readonly connected: number;
    readonly master: number;
    readonly slave: number;
  };
  readonly commands: {
    readonly total: number;
    readonly successful: number;
    readonly failed: number;
    readonly retried: number;
  };
  readonly latencySeconds: { readonly p50: number; readonly p95: number; readonly p99: number; readonly avg: number };
  /** Cumulative, as Prometheus counts: how many took at most `le` seconds. */
  readonly latencyBuckets: readonly { readonly le: number; readonly count: number }[];
  readonly latencyCount: number;
  readonly latencySumSeconds: number;
  readonly breakers: readonly { readonly address: string; readonly state: 'closed' | 'open' | 'half-open' }[];
}

const bucketBounds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** Where the figures come from. */
export interface ReportSources {
  readonly clients: readonly [ClusterClient, ...ClusterClient[]];
  readonly breakers: ShardBreakers;
  readonly stats: ClusterStats;
  readonly uptimeSeconds: number;
}

/** A snapshot of now. */
export function clusterReport({ clients, breakers, stats, uptimeSeconds }: ReportSources): ClusterStatistics {
  const [primary] = clients;
  const masters = new Set(primary.masters());
  let total = 0;
  let active = 0;
  const nodes = primary.nodes().map((address): ClusterNodeStatistics => {
    const tally = stats.tallyOf(address);
    const open = clients.map(({ connections }) => connections.get(address)).filter((one) => one?.status === 'ready');
    total += open.length;
    active += open.filter((one) => (one?.commandQueue.length ?? 0) > 0).length;
    const breaker = breakers.stateOf(address) ?? 'closed';
    return {
      address,
      role: masters.has(address) ? 'master' : 'replica',
      healthy: open.length > 0 && breaker === 'closed',
      failureCount: tally.failures,
      connections: open.length,
      ...(masters.has(address) && { breaker }),
      lastHealthCheck: tally.lastHealthCheck === undefined ? undefined : new Date(tally.lastHealthCheck).toISOString(),
      recentLatencySeconds: tally.recentLatencyMs / 1000,
    };
  });
  const { latency } = stats;
  return {
    type: 'cluster',
    ready: primary.isReady(),
    uptimeSeconds,
    operations: { total: stats.total, successful: stats.successful, failed: stats.failed, retried: stats.retried },
    latency: {
      p50: latency.quantile(0.5),
      p95: latency.quantile(0.95),
      p99: latency.quantile(0.99),
      avg: latency.mean,
    },
    connections: { total, active, idle: total - active },
    nodes,
  };
}

/** The same for Prometheus. */
export function clusterMetrics({ nodes, operations, latency }: ClusterStatistics, stats: ClusterStats): ClusterMetrics {
  const masters = nodes.filter(({ role }) => role === 'master');
  const counts = stats.latency.cumulative(bucketBounds);
  return {
    nodes: {
      total: nodes.length,
      connected: nodes.filter(({ connections }) => connections > 0).length,
      master: masters.length,
      slave: nodes.length - masters.length,
    },
    commands: operations,
    latencySeconds: latency,
    latencyBuckets: bucketBounds.map((le, index) => ({ le, count: counts[index] ?? 0 })),
    latencyCount: stats.latency.count,
    latencySumSeconds: stats.latency.sumSeconds,
    breakers: masters.map(({ address, breaker }) => ({ address, state: breaker ?? 'closed' })),
  };
}
