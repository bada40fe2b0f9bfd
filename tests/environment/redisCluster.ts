/** Real Redis nodes of its own for a test, in a folder of its own: a whole cluster, or nodes that nobody has joined yet. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { NodeAddress } from '../../src/config/clusterNodes.ts';
import {
  startEmbeddedRedisCluster,
  type EmbeddedRedisCluster,
  type EmbeddedRedisOptions,
} from '../../src/embedded/redisCluster.ts';
import { RedisNode } from '../../src/embedded/redisNode.ts';
import { findRedisServer, type RedisBinary } from '../../src/embedded/redisServer.ts';
import { NodeConnection } from '../../src/redis/formation/nodeConnection.ts';

/** A running cluster, with the addresses of its nodes. */
export type TestCluster = EmbeddedRedisCluster & {
  /** Stops the nodes and removes their folder. */
  stop(): Promise<void>;
};

/** The server that the tests run on. @throws {Error} when none is installed. */
export async function redisBinary(): Promise<RedisBinary> {
  const found = await findRedisServer();
  if ('missing' in found) throw new Error(`The tests need a Redis server: ${found.missing}`);
  return found;
}

/** Starts six nodes (3 masters, a replica each) unless told otherwise. */
export async function startTestCluster(options: Partial<EmbeddedRedisOptions> = {}): Promise<TestCluster> {
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'sluice-redis-')));
  const logger = pino({ level: 'silent' });
  const remove = (): Promise<void> => rm(dir, { recursive: true, force: true });
  const starting = startEmbeddedRedisCluster({ logger, binary: await redisBinary(), ...options, dir });
  const cluster = await starting.catch(async (error: Error) => {
    await remove();
    throw error;
  });
  return Object.assign(cluster, {
    async stop(): Promise<void> {
      await cluster.stopAll();
      await remove();
    },
  });
}

/** Six (or so) fresh nodes, each alone. */
export interface LooseNodes {
  readonly nodes: readonly NodeAddress[];
  stop(): Promise<void>;
}

/** Starts nodes without joining them. */
export async function startLooseNodes(options: { count?: number; password?: string } = {}): Promise<LooseNodes> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-nodes-'));
  const shared = { binary: await redisBinary(), password: options.password, random: Math.random };
  const nodes = Array.from({ length: options.count ?? 6 }, (_, index) => {
    const name = `node-${index + 1}`;
    return new RedisNode(name, join(dir, name), { host: '127.0.0.1' }, shared);
  });
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop()));
    await rm(dir, { recursive: true, force: true });
  };
  const taken = new Set<number>();
  try {
    for (const node of nodes) await node.settle('127.0.0.1', taken);
    await Promise.all(nodes.map((node) => node.start(taken)));
  } catch (error) {
    await stop();
    throw error;
  }
  return { nodes: nodes.map(({ address }) => address), stop };
}

/** Sends one command to one node, over a connection of its own. */
export async function ask(address: NodeAddress, command: string, ...args: (string | number)[]): Promise<unknown> {
  const connection = new NodeConnection(address, { commandTimeoutMs: 5000 });
  try {
    return await connection.call(command, ...args);
  } finally {
    connection.close();
  }
}
