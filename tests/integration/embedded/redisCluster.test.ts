/** The cluster that a service starts for itself: its ports, its processes, its data, over all the ways a service ends. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cluster } from 'ioredis';
import type { NodeAddress } from '../../../src/config/clusterNodes.ts';
import {
  embeddedRedisOwner,
  openEmbeddedRedisCluster,
  type EmbeddedRedisCluster,
} from '../../../src/embedded/redisCluster.ts';
import { redisBinary, startTestCluster, type TestCluster } from '../../environment/redisCluster.ts';
import { pino } from 'pino';

const logger = pino({ level: 'silent' });
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-embedded-'));
});
afterEach(async () => {
  const left = await openEmbeddedRedisCluster({ dir, logger, binary: await redisBinary() }).catch(() => undefined);
  await left?.stopAll();
  await rm(dir, { recursive: true, force: true });
});

const pidsOf = (cluster: EmbeddedRedisCluster) => cluster.nodes.map((node) => cluster.pidOf(node) ?? 0);

/** Every process that works in the folder, by what the kernel says. */
async function processesIn(folder: string): Promise<number[]> {
  const { readlink } = await import('node:fs/promises');
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const places = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => '')));
  return pids.flatMap((pid, index) => (places[index]?.startsWith(`${folder}/`) === true ? [Number(pid)] : []));
}

async function incr(nodes: readonly NodeAddress[], key: string): Promise<number> {
  const client = new Cluster(
    nodes.map((node) => ({ ...node })),
    { lazyConnect: true },
  );
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await client.incr(key);
  } finally {
    client.disconnect();
  }
}

/** A process of its own that starts the folder's cluster as a service does, and stays until it is told to close. */
async function startService(folder: string): Promise<ChildProcess> {
  const program = `
    const [{ startEmbeddedRedisCluster }, { findRedisServer }, { pino }] = await Promise.all([
      import('./dist/src/embedded/redisCluster.js'), import('./dist/src/embedded/redisServer.js'), import('pino')]);
    const cluster = await startEmbeddedRedisCluster(
      { dir: process.argv[1], logger: pino({ level: 'silent' }), binary: await findRedisServer() });
    process.on('message', async () => { await cluster.close(); process.exit(0); });
    process.send('ready');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, folder], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the service process ended with ${code}`);
  });
  ended.catch(() => undefined);
  await Promise.race([once(child, 'message'), ended]);
  return child;
}

describe('a start and a close', () => {
  it('starts six nodes on ports below the ephemeral ones, leaves no process, and counters survive', async () => {
    const first = await startTestCluster({ dir });
    expect(first).toMatchObject({ adopted: false, owned: true });
    expect(first.nodes).toHaveLength(6);
    for (const { port } of first.nodes) expect(port).toBeLessThanOrEqual(22_767);
    expect((await processesIn(dir)).sort()).toEqual(pidsOf(first).sort());
    expect(await incr(first.nodes, 'counter')).toBe(1);
    await first.close();
    expect(await processesIn(dir)).toEqual([]);

    const second = await startTestCluster({ dir });
    expect(second).toMatchObject({ adopted: false, owned: true, nodes: first.nodes });
    expect(await incr(second.nodes, 'counter')).toBe(2);
    await second.close();
  });

  it('closes with frozen nodes too', async () => {
    const cluster = await startTestCluster({ dir });
    await Promise.all(cluster.nodes.slice(0, 2).map((node) => cluster.pause(node)));
    await cluster.close();
    expect(await processesIn(dir)).toEqual([]);
  });

  it('finds its port taken: moves that node, keeps its data', async () => {
    const first = await startTestCluster({ dir });
    expect(await incr(first.nodes, 'counter')).toBe(1);
    const [lost, ...kept] = first.nodes as [NodeAddress, ...NodeAddress[]];
    await first.close();
    const squatter = createServer((socket) => socket.destroy()).listen(lost.port, '127.0.0.1');
    await once(squatter, 'listening');
    let second: TestCluster | undefined;
    try {
      second = await startTestCluster({ dir });
    } finally {
      await new Promise((resolve) => squatter.close(resolve));
    }
    expect(second.nodes.slice(1)).toEqual(kept);
    expect(second.nodes[0]?.port).not.toBe(lost.port);
    expect(await incr(second.nodes, 'counter')).toBe(2);
    await second.close();
  });

  it('that fails midway stops what it started and says why', async () => {
    // A node cannot work in a folder whose append-only directory is a file.
    await mkdir(join(dir, 'node-4'));
    await writeFile(join(dir, 'node-4', 'appendonlydir'), '');
    await expect(startTestCluster({ dir })).rejects.toThrow(/A Redis node ended with code 1: [^]*appendonlydir/);
    expect(await processesIn(dir)).toEqual([]);
  });

  it('that is called off stops what it started', async () => {
    const controller = new AbortController();
    const starting = startTestCluster({ dir, signal: controller.signal });
    setTimeout(() => controller.abort(new Error('called off')), 700);
    await expect(starting).rejects.toThrow('called off');
    expect(await processesIn(dir)).toEqual([]);
  });

  it('twice at once: one starts it, the other one joins', async () => {
    const clusters = await Promise.all([startTestCluster({ dir }), startTestCluster({ dir })]);
    expect(clusters.map(({ owned }) => owned).sort()).toEqual([false, true]);
    expect(clusters[0].nodes).toEqual(clusters[1].nodes);
    expect(await processesIn(dir)).toHaveLength(6);
    await Promise.all(clusters.map((cluster) => cluster.close()));
    expect(await processesIn(dir)).toEqual([]);
  });
});

describe('nodes that somebody else has started', () => {
  it('a service that was killed: the next one adopts them, and stops them at its close', async () => {
    const service = await startService(dir);
    const pids = (await processesIn(dir)).sort();
    expect(pids).toHaveLength(6);
    service.kill('SIGKILL');
    await once(service, 'exit');
    expect((await processesIn(dir)).sort()).toEqual(pids);

    const next = await startTestCluster({ dir });
    expect(next).toMatchObject({ adopted: true, owned: true });
    expect(pidsOf(next).sort()).toEqual(pids);
    await next.close();
    expect(await processesIn(dir)).toEqual([]);
  });

  it('a killed service, and one node died and one froze since: the one is started, the other one is woken', async () => {
    const service = await startService(dir);
    service.kill('SIGKILL');
    await once(service, 'exit');
    const [dead, frozen] = (await processesIn(dir)) as [number, number];
    process.kill(dead, 'SIGKILL');
    process.kill(frozen, 'SIGSTOP');
    const next = await startTestCluster({ dir });
    expect(next.owned).toBe(true);
    expect(pidsOf(next)).toContain(frozen);
    expect(await incr(next.nodes, 'counter')).toBe(1);
    await next.close();
    expect(await processesIn(dir)).toEqual([]);
  });

  it('a service that runs: keeps them when another one closes', async () => {
    const service = await startService(dir);
    expect(await embeddedRedisOwner(dir)).toBe(service.pid);
    const guest = await startTestCluster({ dir });
    expect(guest).toMatchObject({ adopted: true, owned: false });
    await guest.close();
    expect(await processesIn(dir)).toHaveLength(6);
    service.send('close');
    await once(service, 'exit');
    expect(await processesIn(dir)).toEqual([]);
  });

  it('"cluster up": a service uses them and leaves them running', async () => {
    const up = await startTestCluster({ dir, startedBy: 'cluster up' });
    const service = await startTestCluster({ dir });
    expect(service).toMatchObject({ adopted: true, owned: false, nodes: up.nodes });
    await service.close();
    expect(await processesIn(dir)).toHaveLength(6);
    expect(await embeddedRedisOwner(dir)).toBeUndefined();
    await service.stopAll();
    expect(await processesIn(dir)).toEqual([]);
  });

  it('strangers with the pids of the last run: are left alone', async () => {
    const first = await startTestCluster({ dir });
    await first.close();
    const stranger = spawn('sleep', ['60'], { stdio: 'ignore' });
    const path = join(dir, 'cluster.json');
    const file = JSON.parse(await readFile(path, 'utf8')) as { nodes: { process?: object }[] };
    for (const node of file.nodes) node.process = { pid: stranger.pid, begun: 'long ago' };
    await writeFile(path, JSON.stringify(file));
    const second = await startTestCluster({ dir });
    await second.close();
    expect(stranger.exitCode).toBeNull();
    expect(stranger.signalCode).toBeNull();
    stranger.kill();
  });
});

describe('a node that is killed', () => {
  it('is replaced by its replica, and comes back as one', async () => {
    const cluster = await startTestCluster({ dir });
    const victim = (await cluster.view()).nodes.find(({ role }) => role === 'master');
    if (victim === undefined) throw new Error('no master');
    await cluster.kill(victim.address);
    expect(cluster.pidOf(victim.address)).toBeUndefined();
    const isReplaced = async () =>
      (await cluster.view()).nodes.some(
        ({ role, slots, id }) => role === 'master' && id !== victim.id && slots[0]?.[0] === victim.slots[0]?.[0],
      );
    while (!(await isReplaced())) await new Promise((resolve) => setTimeout(resolve, 100));
    await cluster.restart(victim.address);
    const healed = await cluster.heal(20_000);
    expect(healed.nodes.find(({ id }) => id === victim.id)).toMatchObject({ role: 'replica', link: 'up' });
    await cluster.close();
  });
});
