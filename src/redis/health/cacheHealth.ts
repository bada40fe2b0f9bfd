/** What the client counts and what the monitor saw, put together for people: the answers of the health routes. */
import type { BackendReport, NodeReport, RedisBackend } from '../backend.ts';
import type { ClusterFacts, NodeFacts } from './clusterFacts.ts';
import type { ClusterHealth, HealthMonitor } from './healthMonitor.ts';
import type { HealthStatus } from './verdict.ts';

/** A backend, as far as its health goes. */
export type ReportingBackend = Pick<RedisBackend, 'type' | 'distributed' | 'isReady' | 'report'>;

/** Where the figures come from. `monitor`: only where there is a cluster. */
export interface HealthSources {
  readonly backend: ReportingBackend;
  readonly monitor: Pick<HealthMonitor, 'latest'> | undefined;
}

/** The body of `GET /api/health/cache`. */
export interface CacheHealth {
  readonly type: RedisBackend['type'];
  readonly distributed: boolean;
  readonly status: HealthStatus;
  readonly cluster: {
    readonly enabled: boolean;
    readonly totalNodes: number;
    readonly healthyNodes: number;
    readonly failedNodes: number;
    /** `successRate` from 0 to 1; 1 before the first operation. */
    readonly operations: {
      readonly total: number;
      readonly successful: number;
      readonly failed: number;
      readonly successRate: number;
    };
    /** `averageResponseTime` in ms, `uptime` in s. */
    readonly performance: { readonly averageResponseTime: number; readonly uptime: number };
    readonly connectionPool: {
      readonly totalConnections: number;
      readonly activeConnections: number;
      readonly idleConnections: number;
    };
    readonly nodes: readonly CacheNode[];
  };
}

/** One server. */
export interface CacheNode {
  readonly address: string;
  readonly healthy: boolean;
  readonly failureCount: number;
  /** ISO 8601; null: not checked yet, or nothing checks it. */
  readonly lastHealthCheck: string | null;
  readonly poolConnections: number;
}

/** `unhealthy` while no command gets through, else the monitor's verdict; `healthy` where there is none. */
export function overallStatus({ backend, monitor }: HealthSources): HealthStatus {
  if (!backend.isReady()) return 'unhealthy';
  return monitor?.latest()?.status ?? 'healthy';
}

/** Puts the answer together; asks nobody. */
export function cacheHealth(sources: HealthSources): CacheHealth {
  const { backend, monitor } = sources;
  const report = backend.report();
  const nodes = cacheNodes(report, monitor?.latest());
  const healthyNodes = nodes.filter(({ healthy }) => healthy).length;
  const { total, successful, failed } = report.operations;
  return {
    type: backend.type,
    distributed: backend.distributed,
    status: overallStatus(sources),
    cluster: {
      enabled: backend.type === 'cluster',
      totalNodes: nodes.length,
      healthyNodes,
      failedNodes: nodes.length - healthyNodes,
      operations: { total, successful, failed, successRate: total === 0 ? 1 : successful / total },
      performance: { averageResponseTime: report.latency.avg * 1000, uptime: report.uptimeSeconds },
      connectionPool: {
        totalConnections: report.connections.total,
        activeConnections: report.connections.active,
        idleConnections: report.connections.idle,
      },
      nodes,
    },
  };
}

/** Every node that either of the two knows: the client drops a dead one, the monitor may not have met a new one. */
function cacheNodes(report: BackendReport, health: ClusterHealth | undefined): CacheNode[] {
  const checked = health?.nodes ?? [];
  const lastHealthCheck = health === undefined ? null : new Date(health.checkedAt).toISOString();
  const seen = checked.map((node) => {
    const client = report.nodes.find((reported) => isSame(node, reported));
    return {
      address: node.address,
      healthy: node.answered && (client?.healthy ?? true),
      failureCount: client?.failureCount ?? 0,
      lastHealthCheck,
      poolConnections: client?.connections ?? 0,
    };
  });
  const others = report.nodes.filter((reported) => !checked.some((node) => isSame(node, reported)));
  const unseen = others.map(({ address, healthy, failureCount, connections }) => ({
    address,
    healthy,
    failureCount,
    lastHealthCheck: null,
    poolConnections: connections,
  }));
  return [...seen, ...unseen];
}

/** A node may be configured by name and known to the cluster by number. */
function isSame({ address, announced }: NodeFacts, reported: NodeReport): boolean {
  return reported.address === address || reported.address === announced;
}

/** A circuit breaker; `shard` is null while the monitor has not seen its master. */
export interface BreakerHealth {
  readonly shard: number | null;
  readonly address: string;
  readonly state: 'closed' | 'open' | 'half-open';
}

/** The breakers of the report, each with the number of its shard. */
export function breakersOf({ backend, monitor }: HealthSources): BreakerHealth[] {
  const checked = monitor?.latest()?.nodes ?? [];
  return backend.report().nodes.flatMap((reported) => {
    if (reported.breaker === undefined) return [];
    const shard = checked.find((node) => isSame(node, reported))?.shard ?? null;
    return [{ shard, address: reported.address, state: reported.breaker }];
  });
}

/** How many nodes there are, by what they are; a master or slave that does not answer counts in `total` only. */
export function nodeCounts({ backend, monitor }: HealthSources): {
  total: number;
  connected: number;
  master: number;
  slave: number;
} {
  const health = monitor?.latest();
  const nodes = cacheNodes(backend.report(), health);
  const role = (wanted: 'master' | 'replica'): number =>
    health === undefined
      ? backend.report().nodes.filter((node) => node.role === wanted).length
      : health.nodes.filter((node) => node.answered && node.role === wanted).length;
  return {
    total: nodes.length,
    connected: nodes.filter(({ healthy }) => healthy).length,
    master: role('master'),
    slave: role('replica'),
  };
}

/** Memory and lag of each shard, from the last check. */
export function shardFigures(health: Pick<ClusterFacts, 'nodes'> | undefined): {
  shard: number;
  usedMemoryBytes: number | undefined;
  lagBytes: number | undefined;
}[] {
  const nodes = health?.nodes ?? [];
  const masters = nodes.filter((node) => node.role === 'master' && node.shard !== null);
  return masters.map(({ shard, figures }) => {
    const lags = nodes.flatMap((node) => (node.shard === shard && node.lagBytes !== null ? [node.lagBytes] : []));
    return {
      shard: shard as number,
      usedMemoryBytes: figures?.usedMemoryBytes,
      lagBytes: lags.length === 0 ? undefined : Math.max(...lags),
    };
  });
}
