/**
 * Configuration → the Redis that the service uses: the primary, and behind it what is gone on with when it is lost.
 * Nothing named: a local cluster where a server is installed, else memory.
 */
import { join } from 'node:path';
import type { Closers } from './closers.ts';
import type { Config } from './config/loadConfig.ts';
import type { RedisConfig } from './config/redisConfig.ts';
import { startEmbeddedRedisCluster } from './embedded/redisCluster.ts';
import { findRedisServer, type RedisBinary } from './embedded/redisServer.ts';
import type { Logger } from './observability/logger.ts';
import { countWindowTwin } from './rateLimit/countWindow.ts';
import type { RedisBackend } from './redis/backend.ts';
import type { ClusterClientOptions } from './redis/clusterClient.ts';
import { createFallbackBackend, type FallbackBackend } from './redis/fallbackBackend.ts';
import { createMemoryRedis } from './redis/memoryRedis.ts';
import { createRedisCluster, type RedisCluster } from './redis/redisCluster.ts';
import { createSingleRedis } from './redis/singleRedis.ts';
import { createUpstashRedis } from './redis/upstashRedis.ts';
import { waitUntilReady } from './redis/waitUntilReady.ts';

/** The Redis in use. */
export interface OpenedRedis {
  /** The primary and its fallbacks as one; memory alone where there is no Redis. */
  readonly redis: FallbackBackend;
  /** The primary, when it is a cluster. */
  readonly cluster: RedisCluster | undefined;
  /** Where that cluster is and how to get in, for the health monitor's own connections. */
  readonly clusterTarget: ClusterClientOptions | undefined;
}

/** What every opening needs. `signal` aborted: the service is told to stop while it starts. */
export interface Opening {
  readonly logger: Logger;
  readonly closers: Closers;
  readonly signal?: AbortSignal;
}

/** How long a start waits for Redis before it goes on without. */
const patienceMs = 3000;

/**
 * Which server the embedded cluster would run on; `undefined`: none is to be run. Quick, so that a start that cannot
 * succeed fails before anything else is opened.
 * @throws {Error} when a cluster was asked for and no server is installed.
 */
export async function embeddedServer({ redis }: Config, logger: Logger): Promise<RedisBinary | undefined> {
  if (redis.mode !== 'embedded') return undefined;
  if (redis.backend === 'memory') {
    logger.info('counters are kept in this process (EMBEDDED_REDIS=memory)');
    return undefined;
  }
  const binary = await findRedisServer();
  if (!('missing' in binary)) return binary;
  if (redis.backend === 'cluster') throw new Error(`EMBEDDED_REDIS=cluster needs a redis-server: ${binary.missing}`);
  logger.warn(
    { reason: binary.missing },
    'no Redis here: counters are kept in this process, are lost when it ends and are not shared with others. ' +
      'For a real 6-node cluster: sudo apt-get install redis-server (macOS: brew install redis)',
  );
  return undefined;
}

/** Opens the chain; each part is noted in `closers`. `binary`: from {@link embeddedServer}. */
export async function openRedis(
  { redis, dataDir }: Config,
  binary: RedisBinary | undefined,
  deps: Opening,
): Promise<OpenedRedis> {
  const { logger, closers } = deps;
  const clusterTarget = await clusterTargetOf(redis, dataDir, binary, deps);
  const primary = openPrimary(redis, clusterTarget, logger);
  const chain = [primary, ...fallbacksOf(redis)].filter((backend) => backend !== undefined);
  const [first = memory(redis), ...rest] = chain;
  if (!(await waitUntilReady(first, patienceMs)))
    logger.warn(`redis: the ${first.type} is not ready yet; going on without it`);
  const fallback = createFallbackBackend([first, ...rest]);
  closers.push('redis', () => fallback.close());
  fallback.events.on('moved', ({ from, to, reason }) => {
    const level = to === first.type ? 'info' : 'warn';
    logger[level]({ from, to, reason }, 'redis: traffic has moved');
  });
  return {
    redis: fallback,
    cluster: primary?.type === 'cluster' ? (primary as RedisCluster) : undefined,
    clusterTarget,
  };
}

async function clusterTargetOf(
  redis: RedisConfig,
  dataDir: string,
  binary: RedisBinary | undefined,
  { logger, closers, signal }: Opening,
): Promise<ClusterClientOptions | undefined> {
  if (redis.mode === 'cluster') return redis;
  if (binary === undefined) return undefined;
  const cluster = await startEmbeddedRedisCluster({
    dir: join(dataDir, 'redis'),
    logger,
    binary,
    ...(signal && { signal }),
  });
  closers.push('embedded redis cluster', () => cluster.close());
  return { nodes: cluster.nodes };
}

/** `undefined`: there is none, memory serves alone. */
function openPrimary(
  redis: RedisConfig,
  clusterTarget: ClusterClientOptions | undefined,
  logger: Logger,
): RedisBackend | undefined {
  const { keyPrefix, commandTimeoutMs } = redis;
  if (clusterTarget !== undefined) {
    return createRedisCluster(
      clusterTarget.nodes,
      { ...clusterTarget, keyPrefix, commandTimeout: commandTimeoutMs },
      { logger },
    );
  }
  if (redis.mode === 'single') return createSingleRedis({ ...redis, keyPrefix, commandTimeoutMs });
  if (redis.mode === 'upstash') return createUpstashRedis({ ...redis, keyPrefix, commandTimeoutMs });
  return undefined;
}

function fallbacksOf(redis: RedisConfig): RedisBackend[] {
  const { fallbacks, keyPrefix, commandTimeoutMs } = redis;
  return [
    ...(fallbacks.single === undefined
      ? []
      : [createSingleRedis({ ...fallbacks.single, keyPrefix, commandTimeoutMs })]),
    ...(fallbacks.memory ? [memory(redis)] : []),
  ];
}

function memory({ keyPrefix }: RedisConfig): RedisBackend {
  return createMemoryRedis({ keyPrefix, scripts: countWindowTwin });
}
