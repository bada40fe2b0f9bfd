/**
 * What the service stands on: Postgres, Redis and a signing secret. What the configuration names is used; what it
 * leaves out is embedded (never in production: loadConfig refuses that).
 */
import { join } from 'node:path';
import type { Closers } from './closers.ts';
import type { Config } from './config/loadConfig.ts';
import { lockDataDir } from './embedded/dataDirLock.ts';
import { embeddedJwtSecret } from './embedded/jwtSecret.ts';
import { startEmbeddedPostgres } from './embedded/postgres.ts';
import { startEmbeddedRedisCluster } from './embedded/redisCluster.ts';
import { findRedisServer } from './embedded/redisServer.ts';
import type { Logger } from './observability/logger.ts';
import { createDatabase, type Database } from './postgres/database.ts';
import { createMigrationLoop, type MigrationLoop } from './postgres/migrationLoop.ts';
import { untilMigrated } from './postgres/untilMigrated.ts';
import { createClusterClient, type ClusterClient, type ClusterClientOptions } from './redis/clusterClient.ts';

/** Open and ready to use, or getting ready in the background. */
export interface Backends {
  /** Refuses with `database_unavailable` until the migrations have run. */
  readonly database: Database;
  readonly migrations: Pick<MigrationLoop, 'done'>;
  /** `undefined`: there is no Redis, counters live in this process. */
  readonly cluster: ClusterClient | undefined;
  readonly jwtSecret: string;
}

/** What every opening needs. `signal` aborted: the service is told to stop while it starts. */
interface Opening {
  readonly logger: Logger;
  readonly closers: Closers;
  readonly signal?: AbortSignal;
}

/** How long a start waits for a cluster before it goes on without. */
const clusterPatienceMs = 3000;
/** How long a start waits for the schema: the embedded Postgres has it at once, a remote one may be down. */
const schemaPatienceMs = 1000;

/** Opens all; each is noted in `closers` as soon as it is open. */
export async function openBackends(
  config: Config,
  deps: Opening,
): Promise<Backends> {
  const { closers, signal } = deps;
  const embedsSomething =
    config.postgres.url === undefined || config.redis.mode === 'embedded' || config.auth.jwtSecret === undefined;
  if (embedsSomething) {
    const lock = await lockDataDir(config.dataDir);
    closers.push('data directory', () => lock.release());
  }
  const jwtSecret = config.auth.jwtSecret ?? (await embeddedJwtSecret(config.dataDir));
  // Both take seconds when they are embedded: side by side. Both are waited for even if one fails, so that all that
  // was opened is known to `closers`.
  const [postgres, cluster] = await Promise.allSettled([openPostgres(config, deps), openRedis(config, deps)]);
  signal?.throwIfAborted();
  return { ...valueOf(postgres), cluster: valueOf(cluster), jwtSecret };
}

function valueOf<T>(result: PromiseSettledResult<T>): T {
  if (result.status === 'rejected') throw result.reason;
  return result.value;
}

async function openPostgres(
  { postgres, dataDir }: Config,
  { logger, closers }: Opening,
): Promise<Pick<Backends, 'database' | 'migrations'>> {
  let url = postgres.url;
  if (url === undefined) {
    const embedded = await startEmbeddedPostgres({ dataDir, logger });
    closers.push('embedded postgres', () => embedded.close());
    url = embedded.url;
  }
  const database = createDatabase({ logger }, { ...postgres, url });
  closers.push('postgres', () => database.close());
  const migrations = createMigrationLoop({ database, logger });
  closers.push('migrations', () => migrations.close());
  await inTime(migrations.finished, schemaPatienceMs);
  return { database: untilMigrated(database, () => migrations.done), migrations };
}

async function openRedis(
  { redis, dataDir }: Config,
  deps: Opening,
): Promise<ClusterClient | undefined> {
  const { logger, closers } = deps;
  const target = redis.mode === 'cluster' ? redis : await embeddedRedis(redis.backend, dataDir, deps);
  if (target === undefined) return undefined;
  const client = createClusterClient({ logger }, target);
  closers.push('redis cluster client', () => client.close());
  if (!(await client.waitUntilReady(clusterPatienceMs))) {
    logger.warn('redis cluster: not ready yet; going on, counting in this process until it is');
  }
  return client;
}

/** The local cluster's nodes; `undefined` for memory. */
async function embeddedRedis(
  backend: 'auto' | 'cluster' | 'memory',
  dataDir: string,
  { logger, closers, signal }: Opening,
): Promise<ClusterClientOptions | undefined> {
  if (backend === 'memory') {
    logger.info('counters are kept in this process (EMBEDDED_REDIS=memory)');
    return undefined;
  }
  const binary = await findRedisServer();
  if ('missing' in binary) {
    if (backend === 'cluster') throw new Error(`EMBEDDED_REDIS=cluster needs a redis-server: ${binary.missing}`);
    logger.warn(
      { reason: binary.missing },
      'no Redis here: counters are kept in this process, are lost when it ends and are not shared with others. ' +
        'For a real 6-node cluster: sudo apt-get install redis-server (macOS: brew install redis)',
    );
    return undefined;
  }
  const cluster = await startEmbeddedRedisCluster({ dir: join(dataDir, 'redis'), logger, binary, ...(signal && { signal }) });
  closers.push('embedded redis cluster', () => cluster.close());
  return { nodes: cluster.nodes };
}

/** Waits for `work`, at most `ms`; it goes on in the background. */
async function inTime(work: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([work.catch(() => undefined), patience]);
  clearTimeout(timer);
}
