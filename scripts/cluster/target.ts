/** Which cluster a command is about: the configured one, or the local one under DATA_DIR. */
import { join } from 'node:path';
import { pino } from 'pino';
import { loadConfig, type Config } from '../../src/config/loadConfig.ts';
import type { EmbeddedRedisOptions } from '../../src/embedded/redisCluster.ts';
import { findRedisServer } from '../../src/embedded/redisServer.ts';

/** What the commands need of the configuration. */
export type ClusterTarget = Pick<Config, 'redis' | 'dataDir'> & { readonly port: number };

/**
 * Reads only what concerns Redis, so that the cluster can be looked at even where the rest is not configured.
 * @throws {ConfigError}
 */
export function clusterTarget(env: Readonly<Record<string, string | undefined>>): ClusterTarget {
  const names = /^(REDIS_.*|EMBEDDED_REDIS|DATA_DIR|PORT)$/;
  const { redis, dataDir, http } = loadConfig(
    Object.fromEntries(Object.entries(env).filter(([name]) => names.test(name))),
  );
  return { redis, dataDir, port: http.port };
}

/** How the local cluster is opened. @throws {Error} saying what to install. */
export async function localOptions({ dataDir }: ClusterTarget): Promise<EmbeddedRedisOptions> {
  const binary = await findRedisServer();
  if ('missing' in binary) {
    throw new Error(
      `a local cluster needs a Redis server (${binary.missing}).\n` +
        '  Debian, Ubuntu:  sudo apt-get install redis-server\n  macOS:           brew install redis',
    );
  }
  return { dir: join(dataDir, 'redis'), binary, logger: pino({ level: 'silent' }), startedBy: 'cluster up' };
}
