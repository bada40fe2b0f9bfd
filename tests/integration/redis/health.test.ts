import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { formatAddress } from '../../../src/redis/formation/nodeConnection.ts';
import type { Anomaly } from '../../../src/redis/health/anomalies.ts';
import {
  createHealthMonitor,
  type ClusterHealth,
  type HealthMonitor,
} from '../../../src/redis/health/healthMonitor.ts';
import { ask, startLooseNodes, startTestCluster, type TestCluster } from '../../environment/redisCluster.ts';
import { sharedClusterNodes } from '../../environment/shared.ts';

const deadlineMs = 30_000;
const monitors: HealthMonitor[] = [];
const monitorOf = (...args: Parameters<typeof createHealthMonitor>): HealthMonitor => {
  const monitor = createHealthMonitor(...args);
  monitors.push(monitor);
  return monitor;
};
afterEach(() => Promise.all(monitors.splice(0).map((monitor) => monitor.close())));

/** Checks until it is as wanted. */
async function until(monitor: HealthMonitor, wanted: (health: ClusterHealth) => boolean): Promise<ClusterHealth> {
  const giveUpAt = performance.now() + deadlineMs;
  for (;;) {
    const health = await monitor.checkNow();
    if (health !== undefined && wanted(health)) return health;
    if (performance.now() > giveUpAt) throw new Error(`not in time: ${JSON.stringify(health, null, 1)}`);
    await pause(100);
  }
}

const rare = { intervalMs: 600_000, timeoutMs: 3000 };

describe('the monitor of a whole cluster', () => {
  it('finds all nodes from one of them, with their figures', async () => {
    const monitor = monitorOf({ nodes: sharedClusterNodes().slice(0, 1) }, rare);
    const health = await until(monitor, ({ nodes }) => nodes.length === 6);
    expect(health).toMatchObject({
      status: 'healthy',
      reasons: [],
      state: 'ok',
      slotsAssigned: 16_384,
      slotsServed: 16_384,
      hosts: 1,
    });
    expect(health.notes).toEqual([expect.stringContaining('one host')]);
    const masters = health.nodes.filter(({ role }) => role === 'master');
    const replicas = health.nodes.filter(({ role }) => role === 'replica');
    expect(masters.map(({ shard }) => shard).sort()).toEqual([1, 2, 3]);
    expect(replicas.map(({ shard }) => shard).sort()).toEqual([1, 2, 3]);
    expect(masters.reduce((sum, { slotCount }) => sum + slotCount, 0)).toBe(16_384);
    for (const node of replicas) expect(node).toMatchObject({ link: 'up', lagBytes: expect.any(Number) });
    for (const { figures, answerMs } of health.nodes) {
      expect(figures).toMatchObject({
        version: expect.stringMatching(/^\d+\.\d+/),
        maxMemoryBytes: expect.any(Number),
      });
      expect(figures?.usedMemoryBytes).toBeGreaterThan(100_000);
      expect(figures?.clients).toBeGreaterThan(0);
      expect(figures?.fragmentationRatio).toBeGreaterThan(0);
      expect(answerMs).toBeGreaterThan(0);
    }
    const sharing = health.sharedHosts.map(({ shard, nodes }) => `${shard}: ${nodes.length}`);
    expect(sharing.sort()).toEqual(['1: 2', '2: 2', '3: 2']);
  });

  it('keeps one connection to each node', async () => {
    const [seed] = sharedClusterNodes();
    if (seed === undefined) throw new Error('no node');
    const before = Number(/connected_clients:(\d+)/.exec(String(await ask(seed, 'INFO', 'clients')))?.[1]);
    const monitor = monitorOf({ nodes: sharedClusterNodes() }, rare);
    for (let i = 0; i < 5; i++) await monitor.checkNow();
    const after = Number(/connected_clients:(\d+)/.exec(String(await ask(seed, 'INFO', 'clients')))?.[1]);
    expect(after - before).toBeLessThanOrEqual(1);
  });

  it('never runs two checks at once, and checks by itself', async () => {
    const monitor = monitorOf({ nodes: sharedClusterNodes() }, { intervalMs: 50, timeoutMs: 3000 });
    expect(monitor.checkNow()).toBe(monitor.checkNow());
    await once(monitor.events, 'checked');
    await once(monitor.events, 'checked');
    await once(monitor.events, 'checked');
  });

  it('ends with close, at once and for good', async () => {
    const monitor = monitorOf({ nodes: sharedClusterNodes() }, { intervalMs: 20, timeoutMs: 3000 });
    await monitor.checkNow();
    void monitor.checkNow();
    await monitor.close();
    let checks = 0;
    monitor.events.on('checked', () => (checks += 1));
    monitor.checkSoon();
    await monitor.checkNow();
    await pause(100);
    expect(checks).toBe(0);
  });
});

describe('the monitor of a cluster in trouble', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await startTestCluster();
  });
  afterAll(() => cluster.stop());

  it('says in words what is wrong with a dead replica, a dead master and a failover, and when all is well again', async () => {
    const monitor = monitorOf({ nodes: cluster.nodes }, rare);
    const changes: string[] = [];
    monitor.events.on('changed', ({ status }, before) => changes.push(`${before} -> ${status}`));
    const whole = await until(monitor, ({ status }) => status === 'healthy');
    const master = whole.nodes.find(({ role }) => role === 'master');
    const replica = whole.nodes.find(({ masterId }) => masterId === master?.id);
    const addressOf = (name: string | undefined) => {
      const found = cluster.nodes.find((node) => formatAddress(node) === name);
      if (found === undefined) throw new Error(`no node ${name}`);
      return found;
    };

    await cluster.kill(addressOf(replica?.address));
    const copyless = await until(monitor, ({ status }) => status === 'degraded');
    expect(copyless.reasons.join('\n')).toContain(
      `replica ${replica?.address} does not answer (nothing listens there)`,
    );
    expect(copyless.mastersWithoutReplica).toEqual([master?.address]);
    await cluster.restart(addressOf(replica?.address));
    await until(monitor, ({ status }) => status === 'healthy');

    await cluster.kill(addressOf(master?.address));
    const headless = await until(monitor, ({ status }) => status === 'unhealthy');
    expect(headless.reasons[0]).toMatch(/^546\d of 16384 slots are not served/);
    const promoted = await until(monitor, ({ status }) => status === 'degraded');
    expect(promoted.nodes.find(({ address }) => address === replica?.address)).toMatchObject({
      role: 'master',
      shard: master?.shard,
    });
    expect(promoted.nodes.find(({ address }) => address === master?.address)).toMatchObject({
      answered: false,
      figures: null,
    });

    await cluster.restart(addressOf(master?.address));
    await until(monitor, ({ status }) => status === 'healthy');
    expect(changes[0]).toBe('undefined -> healthy');
    expect(changes).toContain('healthy -> unhealthy');
    expect(changes.at(-1)).toMatch(/-> healthy$/);
  });

  it('takes a frozen node for a finding, within its timeout', async () => {
    const monitor = monitorOf({ nodes: cluster.nodes }, { intervalMs: 600_000, timeoutMs: 600 });
    await until(monitor, ({ status }) => status === 'healthy');
    const frozen = cluster.nodes[5];
    if (frozen === undefined) throw new Error('no node');
    await cluster.pause(frozen);
    try {
      const startedAt = performance.now();
      const health = await monitor.checkNow();
      expect(performance.now() - startedAt).toBeLessThan(600 + 400);
      const node = health?.nodes.find(({ address }) => address === formatAddress(frozen));
      expect(node).toMatchObject({ answered: false, problems: [expect.stringContaining('no answer within')] });
    } finally {
      await cluster.resume(frozen);
    }
    await until(monitor, ({ status }) => status === 'healthy');
  });

  it('raises memory over 80 % once, and resolves it once', async () => {
    const monitor = monitorOf({ nodes: cluster.nodes }, rare);
    const health = await until(monitor, ({ status }) => status === 'healthy');
    const log: string[] = [];
    const note =
      (what: string) =>
      ({ kind, subject }: Anomaly) =>
        void (kind === 'memory' && log.push(`${what} ${subject}`));
    monitor.events.on('anomaly', note('anomaly')).on('resolved', note('resolved'));
    const [node] = cluster.nodes;
    if (node === undefined) throw new Error('no node');
    const used = health.nodes.find(({ address }) => address === formatAddress(node))?.figures?.usedMemoryBytes ?? 0;
    await ask(node, 'CONFIG', 'SET', 'maxmemory', Math.ceil(used * 1.1));
    for (let i = 0; i < 3; i++) await monitor.checkNow();
    expect(monitor.latest()?.anomalies).toEqual([
      expect.objectContaining({ kind: 'memory', subject: formatAddress(node) }),
    ]);
    await ask(node, 'CONFIG', 'SET', 'maxmemory', 0);
    for (let i = 0; i < 2; i++) await monitor.checkNow();
    expect(log).toEqual([`anomaly ${formatAddress(node)}`, `resolved ${formatAddress(node)}`]);
  });
});

describe('the monitor of what is no cluster', () => {
  it('is unhealthy when nothing answers, and never throws', async () => {
    const monitor = monitorOf({ nodes: [{ host: '127.0.0.1', port: 1 }] }, { timeoutMs: 500 });
    expect(await monitor.checkNow()).toMatchObject({
      status: 'unhealthy',
      reasons: ['no node answers'],
      state: 'unknown',
    });
  });

  it('is unhealthy with nodes that nobody has joined, and names the password as the reason', async () => {
    const loose = await startLooseNodes({ count: 2, password: 'secret' });
    try {
      const open = monitorOf({ nodes: loose.nodes, password: 'secret' }, { timeoutMs: 2000 });
      expect((await open.checkNow())?.reasons[0]).toBe('16384 of 16384 slots belong to no node');
      const shut = monitorOf({ nodes: loose.nodes, password: 'wrong' }, { timeoutMs: 2000 });
      expect((await shut.checkNow())?.nodes[0]?.problems[0]).toContain('the password is refused');
    } finally {
      await loose.stop();
    }
  });
});
