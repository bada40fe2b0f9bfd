/** Sluice's own cluster client, as other services import it. */
import type { NodeAddress } from '../../../src/config/clusterNodes.ts';
import { createRedisCluster } from '../../../src/redis/redisCluster.ts';
import type { ClientUnderTest, MeasuredClient } from './client.ts';

async function connect(nodes: readonly NodeAddress[]): Promise<MeasuredClient> {
  const client = createRedisCluster(nodes);
  if (!(await client.waitUntilReady(10_000))) {
    await client.close();
    throw new Error('Sluice did not reach the cluster within 10 s');
  }
  return {
    get: (key) => client.executeCommand('get', key),
    set: (key, value) => client.executeCommand('set', key, value),
    incr: (key) => client.executeCommand('incr', key),
    close: () => client.close(),
  };
}

/** Nothing set. */
export const sluice: ClientUnderTest = { title: 'Sluice', settings: '`createRedisCluster(nodes)`', connect };
