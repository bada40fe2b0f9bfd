import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from 'ioredis';
import { createTopologyRefresh } from '../../../src/redis/topologyRefresh.ts';

function countingCluster(status: string) {
  const cluster = { status, reads: 0, refreshSlotsCache: () => void (cluster.reads += 1) };
  return cluster as typeof cluster & Pick<Cluster, 'refreshSlotsCache' | 'status'>;
}

describe('the topology refresh', () => {
  it('reads at once at the first trouble', () => {
    const cluster = countingCluster('ready');
    const refresh = createTopologyRefresh(cluster);
    refresh.soon();
    expect(cluster.reads).toBe(1);
    refresh.close();
  });

  it('does not storm: a thousand reports in a row are two reads', async () => {
    const cluster = countingCluster('ready');
    const refresh = createTopologyRefresh(cluster, { minIntervalMs: 20 });
    for (let i = 0; i < 1000; i++) refresh.soon();
    await sleep(150);
    expect(cluster.reads).toBe(2);
    refresh.close();
  });

  it('goes on for as long as trouble is reported, and then stops', async () => {
    const cluster = countingCluster('ready');
    const refresh = createTopologyRefresh(cluster, { minIntervalMs: 10 });
    for (let i = 0; i < 20; i++) {
      refresh.soon();
      await sleep(10);
    }
    const during = cluster.reads;
    expect(during).toBeGreaterThan(5);
    await sleep(200);
    expect(cluster.reads).toBeLessThanOrEqual(during + 1);
    refresh.close();
  });

  it('leaves a cluster alone that is reconnecting, and one that was closed', () => {
    const away = countingCluster('reconnecting');
    createTopologyRefresh(away).soon();
    const closed = countingCluster('ready');
    const refresh = createTopologyRefresh(closed);
    refresh.close();
    refresh.soon();
    expect([away.reads, closed.reads]).toEqual([0, 0]);
  });
});
