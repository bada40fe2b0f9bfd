/** Forming a cluster out of nodes that nobody has joined, or somebody has begun to join. */
import { pino } from 'pino';
import type { NodeAddress } from '../../../src/config/clusterNodes.ts';
import { readClusterView } from '../../../src/redis/formation/clusterView.ts';
import { formCluster, type FormedCluster } from '../../../src/redis/formation/formCluster.ts';
import { FormationRefused } from '../../../src/redis/formation/planJoin.ts';
import { ask, startLooseNodes, type LooseNodes } from '../../environment/redisCluster.ts';

const logger = pino({ level: 'silent' });
const form = (
  nodes: readonly NodeAddress[],
  more: { password?: string; timeoutMs?: number; signal?: AbortSignal } = {},
) => formCluster(nodes, { replicas: 1, timeoutMs: 30_000, logger, ...more });

let loose: LooseNodes | undefined;
afterEach(async () => {
  await loose?.stop();
  loose = undefined;
});
const start = async (options: { count?: number; password?: string } = {}): Promise<readonly NodeAddress[]> => {
  loose = await startLooseNodes(options);
  return loose.nodes;
};

/** Three masters with all slots between them, each with one synced replica. */
function expectWhole(cluster: FormedCluster): void {
  expect(cluster.healthy).toBe(true);
  const masters = cluster.nodes.filter(({ role }) => role === 'master');
  const replicas = cluster.nodes.filter(({ role }) => role === 'replica');
  expect(masters.map(({ slotCount }) => slotCount).sort()).toEqual([5461, 5461, 5462]);
  expect(replicas.map(({ link }) => link)).toEqual(['up', 'up', 'up']);
  expect(new Set(replicas.map(({ masterId }) => masterId))).toEqual(new Set(masters.map(({ id }) => id)));
}

/** Lets node 0 and all others know each other, and waits until it has spread. */
async function meetAll(nodes: readonly NodeAddress[]): Promise<void> {
  const [first, ...others] = nodes as [NodeAddress, ...NodeAddress[]];
  for (const { host, port } of others) await ask(first, 'CLUSTER', 'MEET', host, port);
  const counts = async () =>
    Promise.all(nodes.map(async (node) => /known_nodes:(\d+)/.exec(String(await ask(node, 'CLUSTER', 'INFO')))?.[1]));
  while ((await counts()).some((count) => count !== `${nodes.length}`))
    await new Promise((resolve) => setTimeout(resolve, 50));
}

describe('fresh nodes', () => {
  it('become three masters with a synced replica each; a second run changes nothing', async () => {
    const nodes = await start();
    const formed = await form(nodes);
    expectWhole(formed);
    expect(formed.changed).toBe(true);
    const before = await Promise.all(nodes.map((node) => ask(node, 'CLUSTER', 'MYID')));
    const again = await form(nodes);
    expectWhole(again);
    expect(again.changed).toBe(false);
    expect(await Promise.all(nodes.map((node) => ask(node, 'CLUSTER', 'MYID')))).toEqual(before);
  });

  it('are given by host name and with a password', async () => {
    const nodes = await start({ password: 'correct horse' });
    const named = nodes.map(({ port }) => ({ host: 'localhost', port }));
    expectWhole(await form(named, { password: 'correct horse' }));
  });

  it('are refused where the password is wrong, by name and in time', async () => {
    const nodes = await start({ password: 'correct horse' });
    const [{ port }] = nodes as [NodeAddress];
    await expect(form(nodes, { password: 'wrong', timeoutMs: 500 })).rejects.toThrow(
      `127.0.0.1:${port}: the password is refused`,
    );
  });

  it('seven of them leave one more replica, not a fourth master', async () => {
    const formed = await form(await start({ count: 7 }));
    expect(formed.nodes.filter(({ role }) => role === 'master')).toHaveLength(3);
    expect(formed.nodes.filter(({ link }) => link === 'up')).toHaveLength(4);
  });
});

describe('a formation that was killed midway', () => {
  it('after some meetings: is completed', async () => {
    const nodes = await start();
    const [a, b, c] = nodes as [NodeAddress, NodeAddress, NodeAddress];
    await ask(a, 'CLUSTER', 'MEET', b.host, b.port);
    await ask(c, 'CLUSTER', 'MEET', b.host, b.port);
    expectWhole(await form(nodes));
  });

  it('after the slots, before the replicas: six masters that say "ok" get their replicas', async () => {
    const nodes = await start();
    await meetAll(nodes);
    const [a, b, c] = nodes as [NodeAddress, NodeAddress, NodeAddress];
    await ask(a, 'CLUSTER', 'ADDSLOTSRANGE', 0, 5460);
    await ask(b, 'CLUSTER', 'ADDSLOTSRANGE', 5461, 10_922);
    await ask(c, 'CLUSTER', 'ADDSLOTSRANGE', 10_923, 16_383);
    const view = await readClusterView(nodes);
    expect(view.healthy).toBe(false);
    expect(view.nodes.map(({ role }) => role)).toEqual(new Array(6).fill('master'));
    const formed = await form(nodes);
    expectWhole(formed);
    // Those that had slots keep them.
    expect(formed.nodes.slice(0, 3).map(({ slots }) => slots)).toEqual([
      [[0, 5460]],
      [[5461, 10_922]],
      [[10_923, 16_383]],
    ]);
  });

  it('between two shares of slots: the rest goes to the master that has none', async () => {
    const nodes = await start();
    await meetAll(nodes);
    await ask(nodes[4] as NodeAddress, 'CLUSTER', 'ADDSLOTSRANGE', 0, 5460);
    await ask(nodes[5] as NodeAddress, 'CLUSTER', 'ADDSLOTSRANGE', 10_923, 16_383);
    const formed = await form(nodes);
    expectWhole(formed);
    expect(formed.nodes[4]?.slots).toEqual([[0, 5460]]);
  });
});

describe('what cannot become a cluster', () => {
  it('too few nodes: says how many are needed', async () => {
    await expect(form([{ host: '127.0.0.1', port: 1 }])).rejects.toThrow('needs at least 6 nodes, not 1');
  });

  it('nodes that nobody listens on: names each, in time', async () => {
    const nodes = [1, 2, 3, 4, 5, 6].map((port) => ({ host: '127.0.0.1', port }));
    const forming = form(nodes, { timeoutMs: 300 });
    await expect(forming).rejects.toThrow(
      /127\.0\.0\.1:1: nothing listens there\n[^]*127\.0\.0\.1:6: nothing listens there/,
    );
  });

  it('a signal: gives up at once', async () => {
    const nodes = [1, 2, 3, 4, 5, 6].map((port) => ({ host: '127.0.0.1', port }));
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('called off')), 200);
    await expect(form(nodes, { signal: controller.signal })).rejects.toThrow('called off');
  });

  it('two clusters that hold data for the same slots: refuses, and deletes nothing', async () => {
    const nodes = await start();
    const [a, b] = nodes as [NodeAddress, NodeAddress];
    for (const node of [a, b]) {
      await ask(node, 'CLUSTER', 'ADDSLOTSRANGE', 0, 16_383);
      while (!String(await ask(node, 'CLUSTER', 'INFO')).includes('cluster_state:ok'))
        await new Promise((resolve) => setTimeout(resolve, 50));
      await ask(node, 'SET', 'who', node.port);
    }
    await expect(form(nodes)).rejects.toThrow(FormationRefused);
    expect(await ask(a, 'GET', 'who')).toBe(`${a.port}`);
    expect(await ask(b, 'GET', 'who')).toBe(`${b.port}`);
  });

  it('a lone empty node that claims slots of a cluster with data: gives way to it', async () => {
    const nodes = await start();
    const [a, b] = nodes as [NodeAddress, NodeAddress];
    for (const node of [a, b]) await ask(node, 'CLUSTER', 'ADDSLOTSRANGE', 0, 5460);
    while (!String(await ask(a, 'CLUSTER', 'INFO')).includes('cluster_state:ok')) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await ask(a, 'SET', '{b}', 'kept');
    expectWhole(await form(nodes));
    expect(await ask(a, 'GET', '{b}')).toBe('kept');
  });
});
