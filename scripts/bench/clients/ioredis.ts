/** ioredis's Cluster, as it comes and at its fastest. */
import { once } from 'node:events';
import { Cluster } from 'ioredis';
import type { NodeAddress } from '../../../src/config/clusterNodes.ts';
import type { ClientUnderTest, MeasuredClient } from './client.ts';

async function connect(
  nodes: readonly NodeAddress[],
  options: { enableAutoPipelining?: boolean },
): Promise<MeasuredClient> {
  const cluster = new Cluster([...nodes], options);
  // Without a listener ioredis writes every connection error to the terminal.
  cluster.on('error', () => undefined);
  await once(cluster, 'ready', { signal: AbortSignal.timeout(10_000) });
  return {
    get: (key) => cluster.get(key),
    set: (key, value) => cluster.set(key, value),
    incr: (key) => cluster.incr(key),
    close: () => Promise.resolve(cluster.disconnect()),
  };
}

/** Nothing set. */
export const ioredisDefault: ClientUnderTest = {
  title: 'ioredis, default',
  package: 'ioredis',
  settings: 'as it comes',
  connect: (nodes) => connect(nodes, {}),
};

/** Commands of one event-loop turn travel as one pipeline a node. */
export const ioredisBest: ClientUnderTest = {
  title: 'ioredis, auto-pipelining',
  package: 'ioredis',
  settings: '`enableAutoPipelining: true`',
  connect: (nodes) => connect(nodes, { enableAutoPipelining: true }),
};
