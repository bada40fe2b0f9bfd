/**
 * The Redis Cluster's metrics, read from their sources at each scrape, so that a request pays nothing for them.
 * Shards are labelled by number and statuses by word: no address, key or client ever is a label.
 */
import { Counter, Gauge, type Registry } from 'prom-client';

/** What is measured; each call is cheap. */
export interface RedisClusterSource {
  nodes(): { readonly total: number; readonly connected: number; readonly master: number; readonly slave: number };
  /** 2 healthy, 1 degraded, 0 unhealthy. */
  health(): 0 | 1 | 2;
  /** Since the start. */
  commands(): {
    readonly total: number;
    readonly successful: number;
    readonly failed: number;
    readonly retried: number;
  };
  /** In seconds. */
  latency(): { readonly p50: number; readonly p95: number; readonly p99: number; readonly avg: number };
}

/** Registers the four `redis_cluster_*` metrics of `GET /metrics/redis-cluster`. */
export function registerRedisClusterMetrics(registry: Registry, source: RedisClusterSource): void {
  const registers = [registry];
  new Gauge({
    name: 'redis_cluster_nodes',
    help: 'Nodes of the Redis Cluster by status.',
    labelNames: ['status'],
    registers,
    collect() {
      for (const [status, count] of Object.entries(source.nodes())) this.set({ status }, count);
    },
  });
  new Gauge({
    name: 'redis_cluster_health',
    help: 'Health of the Redis backend: 2 healthy, 1 degraded, 0 unhealthy.',
    registers,
    collect() {
      this.set(source.health());
    },
  });
  new Counter({
    name: 'redis_cluster_commands_total',
    help: 'Commands sent to Redis by outcome, since the start.',
    labelNames: ['status'],
    registers,
    collect() {
      this.reset();
      for (const [status, count] of Object.entries(source.commands())) this.inc({ status }, count);
    },
  });
  new Gauge({
    name: 'redis_cluster_latency_seconds',
    help: 'Latency of commands since the start, by quantile and on average.',
    labelNames: ['quantile'],
    registers,
    collect() {
      const { p50, p95, p99, avg } = source.latency();
      for (const [quantile, seconds] of [
        ['0.5', p50],
        ['0.95', p95],
        ['0.99', p99],
        ['avg', avg],
      ] as const) {
        this.set({ quantile }, seconds);
      }
    },
  });
}

/** A circuit breaker's state, and a shard's number from 1 in the order of the slots. */
export interface ShardBreaker {
  readonly shard: number;
  readonly state: 'closed' | 'half-open' | 'open';
}

/** A shard as the monitor last saw it; `undefined`: not known. */
export interface ShardFigures {
  readonly shard: number;
  readonly usedMemoryBytes: number | undefined;
  /** The furthest that one of its replicas is behind. */
  readonly lagBytes: number | undefined;
}

/** What is measured of shards and alerts. */
export interface ShardSource {
  breakers(): readonly ShardBreaker[];
  shards(): readonly ShardFigures[];
  /** Active anomalies by kind; every kind is there. */
  anomalies(): Readonly<Record<string, number>>;
}

const breakerValue = { closed: 0, 'half-open': 1, open: 2 } as const;

/** Registers breakers, memory and lag by shard, and active anomalies. A shard that is gone has no series any more. */
export function registerShardMetrics(registry: Registry, source: ShardSource): void {
  const registers = [registry];
  new Gauge({
    name: 'redis_circuit_breaker_state',
    help: 'Circuit breaker by shard: 0 closed, 1 half-open, 2 open.',
    labelNames: ['shard'],
    registers,
    collect() {
      this.reset();
      for (const { shard, state } of source.breakers()) this.set({ shard }, breakerValue[state]);
    },
  });
  new Gauge({
    name: 'redis_cluster_memory_used_bytes',
    help: 'Memory that the master of each shard uses.',
    labelNames: ['shard'],
    registers,
    collect() {
      this.reset();
      for (const { shard, usedMemoryBytes } of source.shards())
        if (usedMemoryBytes !== undefined) this.set({ shard }, usedMemoryBytes);
    },
  });
  new Gauge({
    name: 'redis_cluster_replication_lag_bytes',
    help: 'How far the slowest replica of each shard is behind its master.',
    labelNames: ['shard'],
    registers,
    collect() {
      this.reset();
      for (const { shard, lagBytes } of source.shards()) if (lagBytes !== undefined) this.set({ shard }, lagBytes);
    },
  });
  new Gauge({
    name: 'redis_cluster_anomalies',
    help: 'Anomalies that last, by kind.',
    labelNames: ['kind'],
    registers,
    collect() {
      for (const [kind, count] of Object.entries(source.anomalies())) this.set({ kind }, count);
    },
  });
}
