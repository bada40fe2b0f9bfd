/** node-redis's cluster, as it comes and at its fastest. */
import { createCluster, type RedisClusterOptions } from 'redis';
import type { NodeAddress } from '../../../src/config/clusterNodes.ts';
import type { ClientUnderTest, MeasuredClient } from './client.ts';

async function connect(
  nodes: readonly NodeAddress[],
  options: Pick<RedisClusterOptions, 'commandOptions'>,
): Promise<MeasuredClient> {
  const cluster = createCluster({ rootNodes: nodes.map((socket) => ({ socket: { ...socket } })), ...options });
  // Without a listener a lost connection ends the process.
  cluster.on('error', () => undefined);
  await cluster.connect();
  return {
    get: (key) => cluster.get(key),
    set: (key, value) => cluster.set(key, value),
    incr: (key) => cluster.incr(key),
    close: () => Promise.resolve(cluster.destroy()),
  };
}

/** Nothing set; it always writes the commands of one event-loop turn together. */
export const nodeRedisDefault: ClientUnderTest = {
  title: 'node-redis, default',
  package: 'redis',
  settings: 'as it comes',
  connect: (nodes) => connect(nodes, {}),
};

/** Its deadline on waiting commands costs a timer each: without it, it is faster. */
export const nodeRedisBest: ClientUnderTest = {
  title: 'node-redis, no timeout',
  package: 'redis',
  settings: '`commandOptions: { timeout: 0 }` (no timer a command)',
  connect: (nodes) => connect(nodes, { commandOptions: { timeout: 0 } }),
};
