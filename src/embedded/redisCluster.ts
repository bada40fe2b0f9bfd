/**
 * The Redis Cluster that Sluice runs when it is given none: real nodes on loopback, their data under one folder.
 *
 * Invariants: the same folder means the same cluster, whatever happened to the process that started it; nodes that
 * still run are adopted, never started twice; a port that another program has taken is replaced, and the data moves
 * along. What a service started, it stops at its close; what `npm run cluster -- up` started, only `down` stops. A
 * service that was killed leaves its nodes behind: the next one takes them over and stops them at its close.
 *
 * When what it depends on fails: a node that does not start, or a cluster that does not form in time, is an error, and
 * the nodes that this start added are stopped; a killed start is completed by the next one.
 */
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { identify, isRunning } from './processIdentity.ts';
import { readClusterFile, type ClusterFile } from './redisClusterFile.ts';
import { RedisNode } from './redisNode.ts';
import {
  defaultTimeoutMs,
  lockPatiently,
  RunningRedisCluster,
  type EmbeddedRedisCluster,
  type EmbeddedRedisOptions,
} from './runningRedisCluster.ts';

export type { EmbeddedRedisCluster, EmbeddedRedisOptions };

/**
 * Starts the folder's cluster, or adopts what runs of it, and waits until it is healthy.
 * @throws {Error} when a node does not start; {@link FormationTimeout} when they do not become a cluster.
 */
export async function startEmbeddedRedisCluster(options: EmbeddedRedisOptions): Promise<EmbeddedRedisCluster> {
  const dir = resolve(options.dir);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  const lock = await lockPatiently(dir, timeoutMs, options.signal);
  const started: RedisNode[] = [];
  try {
    const file = await readClusterFile(dir);
    const nodes = nodesOf(dir, file, options);
    const running = await Promise.all(nodes.map((node) => node.adopt()));
    const adopted = running.includes(true);
    const owned = !adopted || !(await hasOtherOwner(file));
    const cluster = new RunningRedisCluster(
      dir,
      nodes,
      { ...options, adopted, owned },
      await ownership(file, owned, options),
    );
    started.push(...nodes.filter((_, index) => running[index] !== true));
    await cluster.startNodes(started, options.host ?? '127.0.0.1');
    const { changed } = await cluster.heal(timeoutMs, options.signal);
    options.logger.info({ nodes: nodes.length, adopted, owned, changed }, 'the embedded Redis Cluster is healthy');
    return cluster;
  } catch (error) {
    await Promise.allSettled(started.map((node) => node.stop()));
    throw error;
  } finally {
    await lock.release();
  }
}

/** The folder's cluster if any node of it runs, without starting, stopping or repairing anything. */
export async function openEmbeddedRedisCluster(
  options: EmbeddedRedisOptions,
): Promise<EmbeddedRedisCluster | undefined> {
  const dir = resolve(options.dir);
  const file = await readClusterFile(dir);
  if (file === undefined) return undefined;
  const nodes = nodesOf(dir, file, options);
  const running = await Promise.all(nodes.map((node) => node.adopt()));
  if (!running.includes(true)) return undefined;
  return new RunningRedisCluster(dir, nodes, { ...options, adopted: true, owned: false }, file);
}

/** The pid of the live service that will stop the folder's cluster at its own end, if there is one. */
export async function embeddedRedisOwner(dir: string): Promise<number | undefined> {
  const file = await readClusterFile(resolve(dir));
  return file?.startedBy === 'service' && (await hasOtherOwner(file)) ? file.owner?.pid : undefined;
}

function nodesOf(dir: string, file: ClusterFile | undefined, options: EmbeddedRedisOptions): RedisNode[] {
  const { masters = 3, replicas = 1, host = '127.0.0.1', binary, password, random = Math.random } = options;
  const count = Math.max(file?.nodes.length ?? 0, masters * (1 + replicas));
  return Array.from({ length: count }, (_, index) => {
    const entry = file?.nodes[index];
    const name = entry?.name ?? `node-${index + 1}`;
    return new RedisNode(name, join(dir, name), entry ?? { host }, { binary, password, random });
  });
}

async function hasOtherOwner(file: ClusterFile | undefined): Promise<boolean> {
  if (file === undefined) return false;
  return file.startedBy === 'cluster up' || (file.owner !== undefined && (await isRunning(file.owner)));
}

async function ownership(
  file: ClusterFile | undefined,
  owned: boolean,
  { startedBy = 'service', replicas = 1 }: EmbeddedRedisOptions,
): Promise<Omit<ClusterFile, 'nodes'>> {
  if (!owned && file !== undefined) return { ...file, replicas };
  return { version: 1, startedBy, owner: await identify(process.pid), replicas };
}
