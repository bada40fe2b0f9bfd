/** Every kind of Redis backend on a real server, for the suites that hold all of them to one contract. */
import type { RedisBackend } from '../../src/redis/backend.ts';
import { createMemoryRedis } from '../../src/redis/memoryRedis.ts';
import { createRedisCluster } from '../../src/redis/redisCluster.ts';
import { createSingleRedis } from '../../src/redis/singleRedis.ts';
import { createUpstashRedis } from '../../src/redis/upstashRedis.ts';
import { startTestCluster } from './redisCluster.ts';
import { sharedClusterNodes } from './shared.ts';
import { startSingleRedis } from './singleRedis.ts';
import { startUpstashServer } from './upstashServer.ts';

/** What can happen to a server. */
export interface Faults {
  /** From now on it takes commands and answers none. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  kill(): Promise<void>;
  restart(): Promise<void>;
}

/** A server, and a way to open backends on it. */
export interface BackendServer {
  readonly open: (options: { keyPrefix: string; commandTimeoutMs: number }) => RedisBackend;
  stop(): Promise<void>;
}

/** `start` gives a server for commands, `startToBreak` one of its own; memory cannot break. */
export interface BackendKind {
  readonly name: string;
  readonly type: RedisBackend['type'];
  readonly distributed: boolean;
  readonly hasLua: boolean;
  readonly start: () => Promise<BackendServer>;
  readonly startToBreak: (() => Promise<BackendServer & Faults>) | undefined;
}

const startSingle = async (): Promise<BackendServer & Faults> => {
  const server = await startSingleRedis();
  return {
    open: (options) => createSingleRedis({ url: server.url, ...options }),
    freeze: () => Promise.resolve(server.freeze()),
    thaw: () => Promise.resolve(server.thaw()),
    kill: server.kill,
    restart: server.start,
    stop: server.stop,
  };
};

const startUpstash = async (): Promise<BackendServer & Faults> => {
  const server = await startUpstashServer();
  return {
    open: (options) => createUpstashRedis({ url: server.url, token: server.token, ...options }),
    freeze: () => Promise.resolve(server.treat('silent')),
    thaw: () => Promise.resolve(server.treat('normal')),
    kill: server.kill,
    restart: server.start,
    stop: server.stop,
  };
};

const openCluster = (nodes: Parameters<typeof createRedisCluster>[0]): BackendServer['open'] => {
  return ({ keyPrefix, commandTimeoutMs }) =>
    createRedisCluster(nodes, { keyPrefix, commandTimeout: commandTimeoutMs });
};

const startCluster = async (): Promise<BackendServer & Faults> => {
  const cluster = await startTestCluster();
  const { nodes } = cluster;
  const onAll = async (work: (node: (typeof nodes)[number]) => Promise<void>) =>
    void (await Promise.all(nodes.map(work)));
  return {
    open: openCluster(nodes),
    freeze: () => onAll((node) => cluster.pause(node)),
    thaw: () => onAll((node) => cluster.resume(node)),
    kill: () => onAll((node) => cluster.kill(node)),
    async restart() {
      // One after the other: they are written into one file.
      for (const node of nodes) await cluster.restart(node);
    },
    stop: () => cluster.stop(),
  };
};

/** The table. */
export const backendKinds: readonly BackendKind[] = [
  {
    name: 'a cluster',
    type: 'cluster',
    distributed: true,
    hasLua: true,
    start: () => Promise.resolve({ open: openCluster(sharedClusterNodes()), stop: () => Promise.resolve() }),
    startToBreak: startCluster,
  },
  {
    name: 'a single Redis',
    type: 'single',
    distributed: true,
    hasLua: true,
    start: startSingle,
    startToBreak: startSingle,
  },
  {
    name: 'Upstash',
    type: 'upstash',
    distributed: true,
    hasLua: true,
    start: startUpstash,
    startToBreak: startUpstash,
  },
  {
    name: 'memory',
    type: 'memory',
    distributed: false,
    hasLua: false,
    start: () =>
      Promise.resolve({ open: ({ keyPrefix }) => createMemoryRedis({ keyPrefix }), stop: () => Promise.resolve() }),
    startToBreak: undefined,
  },
];
