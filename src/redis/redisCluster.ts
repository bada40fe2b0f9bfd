/**
 * The Redis Cluster as a backend: commands and scripts on the shard that owns their key, each shard with a circuit
 * breaker of its own.
 *
 * Invariants: every call ends within `commandTimeout` (a fifth more at most, or longer where this very process starves;
 * see answerDeadline.ts). Nothing that may have been done is sent again, unless it only reads. A dead or frozen master
 * costs its own keys a few waits until its breaker opens, then nothing, and the other shards' keys nothing at all.
 *
 * When things fail: the whole cluster away → `RedisUnavailableError` at once, `unavailable` is emitted; it returns by
 * itself, with one connection a node and pool member. A master without a replica gone for good → the keys of its
 * slots are refused at once until somebody repairs the cluster.
 */
import { EventEmitter } from 'node:events';
import type { Cluster } from 'ioredis';
import type { NodeAddress } from '../config/clusterNodes.ts';
import type { Logger } from '../observability/logger.ts';
import type { AnswerDeadline } from './answerDeadline.ts';
import {
  RedisUnavailableError,
  type BackendEvents,
  type BackendReport,
  type CommandArgument,
  type RedisBackend,
} from './backend.ts';
import {
  createClusterClient,
  defaultBreakerOptions,
  type ClusterClient,
  type ClusterClientOptions,
} from './clusterClient.ts';
import { ClusterDispatch } from './clusterDispatch.ts';
import { startNodePings } from './clusterPings.ts';
import { clusterMetrics, clusterReport, type ClusterMetrics, type ClusterStatistics } from './clusterReport.ts';
import { ClusterStats } from './clusterStats.ts';
import { keySlot } from './keySlot.ts';
import { sendScript } from './scriptHash.ts';
import { ShardBreakers } from './shardBreakers.ts';

/** All are optional; times in ms. */
export interface RedisClusterOptions extends Omit<ClusterClientOptions, 'nodes' | 'answerTimeoutMs'> {
  /** How often a command that was certainly not done, or only reads, is sent again (2). */
  readonly maxRetries?: number | undefined;
  /** Mean pause before a retry (50): half to one and a half of it. */
  readonly retryDelay?: number | undefined;
  /** Each node is asked for a sign of life so often (5000). */
  readonly healthCheckInterval?: number | undefined;
  /** How long a sign of life is waited for (1000). */
  readonly healthCheckTimeout?: number | undefined;
  /** A shard's breaker opens after so many failures in a row (5). */
  readonly circuitBreakerThreshold?: number | undefined;
  /** From a trip to the first probe, and from probe to probe (500). */
  readonly circuitBreakerTimeout?: number | undefined;
  /** Connections to each node (1). */
  readonly connectionPoolSize?: number | undefined;
  /** Who answers commands that only read (`master`); replicas may be behind. */
  readonly readFrom?: 'master' | 'replica' | 'nearest' | undefined;
  /** Put before every key. */
  readonly keyPrefix?: string | undefined;
  /** Each call's deadline, retries included (1000). */
  readonly commandTimeout?: number | undefined;
  /** Commands that may wait for their outcome at once (50,000); more are refused. */
  readonly maxInFlight?: number | undefined;
}

/** A backend that is also a {@link ClusterClient} for libraries that want ioredis. */
export interface RedisCluster extends RedisBackend, Omit<ClusterClient, 'guard'> {
  readonly type: 'cluster';
  /** The ioredis cluster, for what the backend does not offer (pub/sub, scans); without breakers and deadlines. */
  getCluster(): Cluster;
  /** {@link BackendReport} and each node's last health check and recent latency. */
  getStats(): ClusterStatistics;
  /** Counters and latency buckets for Prometheus. */
  getMetrics(): ClusterMetrics;
  /** Whether the breaker of any shard, or of the shard of `key` (without prefix), is not closed. */
  isCircuitBreakerOpen(key?: string): boolean;
  /** Closes all breakers. */
  manualResetCircuitBreaker(): void;
  /** The same as `close`. */
  disconnect(): Promise<void>;
  /** {@link ClusterClient.guard}; `key` is whole (the prefix is not added), the deadline `commandTimeout` unless given. */
  guard<T>(key: string, work: () => Promise<T>, deadline?: AnswerDeadline): Promise<T>;
}

/** Connects in the background; commands are refused until it is ready (`waitUntilReady`). */
export function createRedisCluster(
  nodes: readonly NodeAddress[],
  options: RedisClusterOptions = {},
  { logger, random = Math.random }: { logger?: Logger; random?: () => number } = {},
): RedisCluster {
  const poolSize = Math.max(1, options.connectionPoolSize ?? 1);
  const clientOptions = { ...options, nodes, answerTimeoutMs: options.healthCheckTimeout };
  const breakers = new ShardBreakers(
    { probe: (address) => primary.ping(address) },
    {
      threshold: options.circuitBreakerThreshold ?? defaultBreakerOptions.threshold,
      resetMs: options.circuitBreakerTimeout ?? defaultBreakerOptions.resetMs,
    },
  );
  // The first one speaks for all: in logs, in reports, to libraries that want ioredis.
  const primary = createClusterClient({ logger, random, breakers }, clientOptions);
  const others = Array.from({ length: poolSize - 1 }, () => createClusterClient({ random, breakers }, clientOptions));
  const clients = [primary, ...others] as const;
  const stats = new ClusterStats();
  const dispatch = new ClusterDispatch(
    { clients, breakers, stats, random },
    {
      maxRetries: options.maxRetries ?? 2,
      retryDelayMs: options.retryDelay ?? 50,
      commandTimeoutMs: options.commandTimeout ?? 1000,
      maxInFlight: options.maxInFlight ?? 50_000,
      readFrom: options.readFrom ?? 'master',
      keyPrefix: options.keyPrefix,
    },
  );
  const pings = startNodePings(
    { client: primary, stats, breakers },
    { intervalMs: options.healthCheckInterval ?? 5000 },
  );
  primary.cluster.on('refresh', () => stats.retain(new Set(primary.nodes())));
  const startedAt = performance.now();
  const report = () =>
    clusterReport({ clients, breakers, stats, uptimeSeconds: (performance.now() - startedAt) / 1000 });

  const close = async () => {
    dispatch.close();
    pings.close();
    breakers.close();
    readiness.close();
    await Promise.all(clients.map((client) => client.close()));
  };
  const events = new EventEmitter<BackendEvents>();
  const readiness = watchReadiness(primary, breakers, events);

  return {
    ...primary,
    type: 'cluster',
    distributed: true,
    events,
    waitUntilReady: async (ms) =>
      (await Promise.all(clients.map((client) => client.waitUntilReady(ms)))).every(Boolean),
    executeCommand: <Reply>(name: string, ...args: CommandArgument[]) =>
      dispatch.send(name.toLowerCase(), args) as Promise<Reply>,
    // Sending a script's text to a server that did not know it is not counted as a retry.
    runScript: <Reply>(...[script, keys, args]: Parameters<RedisBackend['runScript']>) =>
      sendScript(
        (name, all) => dispatch.send(name, all),
        script,
        [keys, args],
        () => undefined,
      ) as Promise<Reply>,
    async guard(key, work, deadline = dispatch.deadline) {
      const sentAt = performance.now();
      stats.total += 1;
      try {
        const value = await primary.guard(key, work, deadline);
        stats.answered(undefined, performance.now() - sentAt);
        return value;
      } catch (error) {
        stats.failed += 1;
        throw error;
      }
    },
    report: (): BackendReport => report(),
    getStats: report,
    getMetrics: () => clusterMetrics(report(), stats),
    getCluster: () => primary.cluster,
    isCircuitBreakerOpen(key) {
      if (key === undefined) return breakers.notClosed().length > 0;
      const [owner] = primary.ownersOf(keySlot((options.keyPrefix ?? '') + key));
      return owner !== undefined && !breakers.of(owner).isClosed;
    },
    manualResetCircuitBreaker: () => breakers.reset(),
    disconnect: close,
    close,
  };
}

/** Emits `ready` and `unavailable` when what `isReady` says has changed. */
function watchReadiness(
  client: ClusterClient,
  breakers: ShardBreakers,
  events: EventEmitter<BackendEvents>,
): { close(): void } {
  let ready = false;
  let reason: Error = new RedisUnavailableError('not connected to the cluster');
  const look = () => {
    if (client.isReady() === ready) return;
    ready = !ready;
    if (ready) events.emit('ready');
    else events.emit('unavailable', reason);
  };
  const onBreaker = (_address: string, _state: string, why?: Error) => {
    if (why !== undefined) reason = why;
    look();
  };
  const onError = (error: Error) => {
    reason = error;
    look();
  };
  breakers.events.on('state', onBreaker);
  client.cluster.on('error', onError);
  const statusEvents = ['ready', 'close', 'reconnecting', 'end', 'refresh', '-node'];
  for (const event of statusEvents) client.cluster.on(event, look);
  client.cluster.on('+node', (connection: { once(event: 'ready', listener: () => void): void }) =>
    connection.once('ready', look),
  );
  return {
    close() {
      breakers.events.off('state', onBreaker);
      client.cluster.off('error', onError);
      for (const event of statusEvents) client.cluster.off(event, look);
    },
  };
}
