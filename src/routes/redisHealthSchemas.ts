/** The answers of the Redis health routes, for the OpenAPI document. Tests parse real answers with them. */
import { z } from 'zod';

const count = z.int().nonnegative();
const status = z.enum(['healthy', 'degraded', 'unhealthy']);
const backendType = z.enum(['cluster', 'single', 'upstash', 'memory']);
const breaker = z.enum(['closed', 'open', 'half-open']);
const seconds = z.number().meta({ description: 'In seconds.' });
const instant = z.iso.datetime().nullable();
const role = z.enum(['master', 'replica', 'unknown']);

const nodeFigures = z.object({
  version: z.string(),
  uptimeSeconds: z.number(),
  keys: count,
  usedMemoryBytes: count,
  maxMemoryBytes: count.meta({ description: '0: no limit.' }),
  memoryRatio: z.number().nullable().meta({ description: 'Used over limit, from 0 to 1; null: no limit.' }),
  fragmentationRatio: z.number(),
  clients: count,
  opsPerSecond: z.number(),
  evictions: count,
  keyspaceHits: count,
  keyspaceMisses: count,
  aof: z.enum(['off', 'ok', 'rewriting', 'failing']),
  replicationOffset: count.meta({ description: 'In bytes.' }),
});

/** By route. */
export const redisHealthSchemas = {
  cacheHealth: z.strictObject({
    type: backendType,
    distributed: z.boolean().meta({ description: 'Whether other processes see the same data.' }),
    status,
    cluster: z.strictObject({
      enabled: z.boolean(),
      totalNodes: count,
      healthyNodes: count,
      failedNodes: count,
      operations: z.strictObject({
        total: count,
        successful: count,
        failed: count,
        successRate: z.number().min(0).max(1).meta({ description: 'From 0 to 1; 1 before the first operation.' }),
      }),
      performance: z.strictObject({
        averageResponseTime: z.number().meta({ description: 'In milliseconds.' }),
        uptime: z.number().meta({ description: 'Of the client, in seconds.' }),
      }),
      connectionPool: z.strictObject({ totalConnections: count, activeConnections: count, idleConnections: count }),
      nodes: z.array(
        z.strictObject({
          address: z.string(),
          healthy: z.boolean(),
          failureCount: count.meta({ description: 'Failed commands since the start.' }),
          lastHealthCheck: instant,
          poolConnections: count,
        }),
      ),
    }),
  }),
  cacheStats: z.object({
    status,
    distributed: z.boolean(),
    backend: z.object({
      type: backendType,
      ready: z.boolean(),
      uptimeSeconds: z.number(),
      operations: z.object({ total: count, successful: count, failed: count, retried: count }),
      latency: z.object({ p50: seconds, p95: seconds, p99: seconds, avg: seconds }),
      connections: z.object({ total: count, active: count, idle: count }),
      nodes: z.array(
        z.object({
          address: z.string(),
          role,
          healthy: z.boolean(),
          failureCount: count,
          connections: count,
          breaker: breaker.optional(),
        }),
      ),
    }),
    breakers: z.array(z.object({ shard: z.int().positive().nullable(), address: z.string(), state: breaker })),
    fallback: z.unknown().meta({ description: 'Moves between backends; null where there is nothing to fall back to.' }),
  }),
  cacheCluster: z.object({
    enabled: z
      .boolean()
      .meta({ description: 'False: there is no cluster, and all that is optional here is left out.' }),
    status,
    reasons: z.array(z.string()),
    notes: z.array(z.string()).optional(),
    checkedAt: z.iso.datetime().optional(),
    durationMs: z.number().optional(),
    state: z.enum(['ok', 'fail', 'unknown']).optional(),
    slotsAssigned: count.optional(),
    slotsServed: count.optional(),
    hosts: count.optional(),
    mastersWithoutReplica: z.array(z.string()).optional(),
    sharedHosts: z.array(z.object({ host: z.string(), shard: count, nodes: z.array(z.string()) })).optional(),
    nodes: z.array(
      z.object({
        address: z.string(),
        announced: z.string(),
        id: z.string(),
        answered: z.boolean(),
        role,
        shard: z.int().positive().nullable(),
        slots: z.string().meta({ examples: ['0-5460'] }),
        slotCount: count,
        masterId: z.string().nullable(),
        link: z.enum(['up', 'syncing', 'down']).nullable(),
        lagBytes: count.nullable(),
        answerMs: z.number().nullable(),
        figures: nodeFigures.nullable(),
        problems: z.array(z.string()),
      }),
    ),
    anomalies: z.array(
      z.object({
        kind: z.enum(['latency', 'errors', 'memory', 'lag', 'slots', 'keys']),
        subject: z.string(),
        message: z.string(),
        since: z.iso.datetime(),
      }),
    ),
  }),
};
