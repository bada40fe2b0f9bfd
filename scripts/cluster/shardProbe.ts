/** Without a service: increments one counter of one shard through a cluster client, and writes down what failed. */
import { Cluster } from 'ioredis';
import type { ClusterNodeView, ClusterView } from '../../src/redis/formation/clusterView.ts';
import { NodeConnection, type NodeAccess } from '../../src/redis/formation/nodeConnection.ts';

/** Increments under way. */
export interface ShardProbe {
  /** Stops, and tells in one line what happened. */
  stop(): Promise<string>;
}

const perSecond = 50;
const commandTimeoutMs = 500;

/** @throws {Error} when the cluster cannot be reached. */
export async function startShardProbe(
  view: ClusterView,
  shard: ClusterNodeView,
  access: NodeAccess,
): Promise<ShardProbe> {
  const key = await keyOn(shard, access);
  const cluster = new Cluster(
    view.nodes.map(({ address }) => ({ ...address })),
    {
      lazyConnect: true,
      enableOfflineQueue: false,
      slotsRefreshTimeout: 1000,
      redisOptions: {
        commandTimeout: commandTimeoutMs,
        ...(access.username === undefined ? {} : { username: access.username }),
        ...(access.password === undefined ? {} : { password: access.password }),
        ...(access.tls === true ? { tls: {} } : {}),
      },
    },
  );
  // Losing a node is what this is about; each failed increment is counted below.
  cluster.on('error', () => undefined);
  await cluster.connect();
  let done = 0;
  let failed = 0;
  let longestGapMs = 0;
  let lastAt = performance.now();
  const timer = setInterval(() => {
    cluster.incr(key).then(
      () => {
        done += 1;
        longestGapMs = Math.max(longestGapMs, performance.now() - lastAt);
        lastAt = performance.now();
      },
      () => (failed += 1),
    );
  }, 1000 / perSecond);
  return {
    async stop() {
      clearInterval(timer);
      await cluster.del(key).catch(() => 0);
      cluster.disconnect();
      return `${done} increments done, ${failed} failed; the longest gap ${longestGapMs.toFixed(0)} ms`;
    },
  };
}

/** A key that the shard owns: tried out, on average as many times as there are shards. */
async function keyOn({ address, slots }: ClusterNodeView, access: NodeAccess): Promise<string> {
  const connection = new NodeConnection(address, access);
  try {
    for (let attempt = 0; ; attempt++) {
      const key = `sluice:failover-drill:${attempt}`;
      const slot = Number(await connection.call('CLUSTER', 'KEYSLOT', key));
      if (slots.some(([first, last]) => slot >= first && slot <= last)) return key;
    }
  } finally {
    connection.close();
  }
}
