/** Six real nodes in a folder of their own, for one run; nothing of them is left afterwards, Ctrl-C included. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { startEmbeddedRedisCluster, type EmbeddedRedisCluster } from '../../src/embedded/redisCluster.ts';
import { findRedisServer, type RedisBinary } from '../../src/embedded/redisServer.ts';

/** The installed server. @throws {Error} saying what to install. */
export async function installedServer(): Promise<RedisBinary> {
  const found = await findRedisServer();
  if (!('missing' in found)) return found;
  throw new Error(`this needs a Redis server (${found.missing}): sudo apt-get install redis-server`);
}

/** Starts the nodes, works with them, removes them. */
export async function withTemporaryCluster<T>(
  signal: AbortSignal,
  work: (cluster: EmbeddedRedisCluster) => Promise<T>,
): Promise<T> {
  const binary = await installedServer();
  const dir = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  try {
    const cluster = await startEmbeddedRedisCluster({ dir, binary, logger: pino({ level: 'silent' }), signal });
    try {
      return await work(cluster);
    } finally {
      await cluster.stopAll();
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
