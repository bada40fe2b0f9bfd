/** Repairing a cluster that was whole once. */
import { rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { Cluster } from 'ioredis';
import type { NodeAddress } from '../../../src/config/clusterNodes.ts';
import type { ClusterNodeView, ClusterView } from '../../../src/redis/formation/clusterView.ts';
import { ask, startTestCluster, type TestCluster } from '../../environment/redisCluster.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await startTestCluster();
  await write();
});
afterEach(() => cluster.stop());

const keys = Array.from({ length: 60 }, (_, index) => `key-${index}`);

async function withClient<T>(work: (client: Cluster) => Promise<T>): Promise<T> {
  const client = new Cluster(
    cluster.nodes.map((node) => ({ ...node })),
    { lazyConnect: true },
  );
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}

/** Counters on all shards, each on its replica too. */
async function write(): Promise<void> {
  await withClient(async (client) => {
    await Promise.all(keys.map((key) => client.set(key, key)));
    for (const master of client.nodes('master')) await master.wait(1, 5000);
  });
}
const read = (): Promise<(string | null)[]> => withClient((client) => Promise.all(keys.map((key) => client.get(key))));

const nodeOf = (view: ClusterView, role: 'master' | 'replica'): ClusterNodeView => {
  const node = view.nodes.find((candidate) => candidate.role === role);
  if (node === undefined) throw new Error(`no ${role}`);
  return node;
};
const replicaOf = (view: ClusterView, { id }: ClusterNodeView): ClusterNodeView => {
  const node = view.nodes.find(({ masterId }) => masterId === id);
  if (node === undefined) throw new Error('no replica');
  return node;
};
async function wipe(address: NodeAddress): Promise<void> {
  await cluster.kill(address);
  await rm(cluster.dirOf(address), { recursive: true });
  await cluster.restart(address);
}

describe('a node whose disk was wiped', () => {
  it.each(['master', 'replica'] as const)(
    'was a %s: joins again under its new id, the old id is forgotten, no data is lost',
    async (role) => {
      const before = await cluster.view();
      const victim = nodeOf(before, role);
      await wipe(victim.address);
      const healed = await cluster.heal(30_000);
      expect(healed).toMatchObject({ healthy: true, changed: true });
      expect(healed.nodes.map(({ id }) => id)).not.toContain(victim.id);
      for (const node of cluster.nodes) expect(String(await ask(node, 'CLUSTER', 'NODES'))).not.toContain(victim.id);
      expect(await read()).toEqual(keys);
    },
  );

  it('was a master, and so was another one: without a majority their replicas take over all the same', async () => {
    const masters = (await cluster.view()).nodes.filter(({ role }) => role === 'master');
    await Promise.all(masters.slice(0, 2).map(({ address }) => wipe(address)));
    expect(await cluster.heal(40_000)).toMatchObject({ healthy: true, changed: true });
    expect(await read()).toEqual(keys);
  });

  it('and so was its replica: the slots are served again, empty, and the other shards keep their data', async () => {
    const before = await cluster.view();
    const master = nodeOf(before, 'master');
    const replica = replicaOf(before, master);
    await Promise.all([wipe(master.address), wipe(replica.address)]);
    expect(await cluster.heal(40_000)).toMatchObject({ healthy: true, changed: true });
    const left = (await read()).filter((value) => value !== null).length;
    expect(left).toBe(
      before.nodes.reduce((sum, node) => (node.role === 'master' && node !== master ? sum + node.keys : sum), 0),
    );
  });
});

describe('all nodes restarted on their old data', () => {
  async function restartAll(options: { host?: string } = {}): Promise<void> {
    const { dir } = cluster;
    await cluster.close();
    cluster = await startTestCluster({ dir, ...options });
  }

  it('at the same addresses: nothing has to be repaired', async () => {
    const before = cluster.nodes;
    await restartAll();
    expect(cluster.nodes).toEqual(before);
    expect(await cluster.heal(10_000)).toMatchObject({ healthy: true, changed: false });
    expect(await read()).toEqual(keys);
  });

  it('all at new ports: keep their ids, slots and data', async () => {
    const before = await cluster.view();
    const ports = cluster.nodes.map(({ port }) => port);
    const { dir } = cluster;
    await cluster.close();
    const squatters = await Promise.all(ports.map(listen));
    try {
      cluster = await startTestCluster({ dir });
    } finally {
      await Promise.all(squatters.map((server) => new Promise((resolve) => server.close(resolve))));
    }
    expect(cluster.nodes.filter(({ port }) => ports.includes(port))).toEqual([]);
    const after = await cluster.view();
    expect(after.healthy).toBe(true);
    expect(after.nodes.map(({ id }) => id)).toEqual(before.nodes.map(({ id }) => id));
    expect(after.nodes.map(({ slots }) => slots)).toEqual(before.nodes.map(({ slots }) => slots));
    expect(await read()).toEqual(keys);
  });

  it('all at another IP address: keep their ids and data, and announce the new one', async () => {
    await restartAll({ host: '127.0.0.7' });
    expect(new Set(cluster.nodes.map(({ host }) => host))).toEqual(new Set(['127.0.0.7']));
    for (const node of cluster.nodes) {
      const table = String(await ask(node, 'CLUSTER', 'NODES'));
      expect(table.match(/ 127\.0\.0\.7:/g)).toHaveLength(6);
    }
    expect(await read()).toEqual(keys);
  });
});

describe('a node that does not answer', () => {
  it('frozen: the error comes in time and names it', async () => {
    const [first] = cluster.nodes as [NodeAddress];
    await cluster.pause(first);
    const startedAt = performance.now();
    await expect(cluster.heal(1500)).rejects.toThrow(`127.0.0.1:${first.port}: no answer within 1000 ms`);
    expect(performance.now() - startedAt).toBeLessThan(6000);
    await cluster.resume(first);
  });

  it('dead: is shown as such in the view, with what the others remember', async () => {
    const victim = nodeOf(await cluster.view(), 'master');
    await cluster.kill(victim.address);
    const view = await cluster.view();
    expect(view.healthy).toBe(false);
    expect(view.nodes.find(({ id }) => id === victim.id)).toMatchObject({
      answered: false,
      problems: ['nothing listens there'],
    });
  });
});

describe('a failover', () => {
  it('has moved roles: they stay where they are', async () => {
    const before = await cluster.view();
    const master = nodeOf(before, 'master');
    const heir = replicaOf(before, master);
    await ask(heir.address, 'CLUSTER', 'FAILOVER');
    const after = await cluster.heal(20_000);
    expect(after.changed).toBe(false);
    expect(after.nodes.find(({ id }) => id === heir.id)?.role).toBe('master');
    expect(after.nodes.find(({ id }) => id === master.id)?.role).toBe('replica');
  });
});

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    // Nodes that look for their old neighbours come here: they are turned away, so that the server can close.
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject).listen(port, '127.0.0.1', () => resolve(server));
  });
}
