/** One suite for every store of counters. */
import { pino } from 'pino';
import { createBackendStore } from '../../../src/rateLimit/backendStore.ts';
import { countWindowTwin } from '../../../src/rateLimit/countWindow.ts';
import type { CounterStore } from '../../../src/rateLimit/counterStore.ts';
import { createMemoryStore } from '../../../src/rateLimit/memoryStore.ts';
import { createRedisStore } from '../../../src/rateLimit/redisStore.ts';
import { createClusterClient, type ClusterClient } from '../../../src/redis/clusterClient.ts';
import type { RedisBackend } from '../../../src/redis/backend.ts';
import { createMemoryRedis } from '../../../src/redis/memoryRedis.ts';
import { createSingleRedis } from '../../../src/redis/singleRedis.ts';
import { createUpstashRedis } from '../../../src/redis/upstashRedis.ts';
import { waitUntilReady } from '../../../src/redis/waitUntilReady.ts';
import { sharedClusterNodes } from '../../environment/shared.ts';
import { startSingleRedis, type TestRedis } from '../../environment/singleRedis.ts';
import { startUpstashServer, type UpstashServer } from '../../environment/upstashServer.ts';

const policy = { points: 5, durationSeconds: 2 };
let client: ClusterClient;
let single: { server: TestRedis; backend: RedisBackend };
let upstash: { server: UpstashServer; backend: RedisBackend };

beforeAll(async () => {
  client = createClusterClient({ logger: pino({ level: 'silent' }) }, { nodes: sharedClusterNodes() });
  expect(await client.waitUntilReady(5000)).toBe(true);
  const [redis, rest] = await Promise.all([startSingleRedis(), startUpstashServer()]);
  single = { server: redis, backend: createSingleRedis({ url: redis.url, commandTimeoutMs: 5000 }) };
  upstash = { server: rest, backend: createUpstashRedis({ ...rest, commandTimeoutMs: 5000 }) };
  for (const { backend } of [single, upstash]) expect(await waitUntilReady(backend, 10_000)).toBe(true);
});
afterAll(async () => {
  await client.close();
  for (const { backend, server } of [single, upstash]) {
    await backend.close();
    await server.stop();
  }
});

const onBackend = (backend: RedisBackend) =>
  createBackendStore(backend, { ...policy, keyPrefix: `test:${Math.random()}`, deadlineMs: 5000 });

/** The last: how many counts at once; each is a request of its own on Upstash, and all must fit into one window. */
const stores: [name: string, create: () => CounterStore, burst: number][] = [
  ['memory', () => createMemoryStore({}, policy), 500],
  // 5 s: what is tested here is how it counts; tests/chaos has its deadlines.
  [
    'redis',
    () => createRedisStore(client, { ...policy, keyPrefix: `test:${process.pid}:${Math.random()}`, deadlineMs: 5000 }),
    500,
  ],
  ['single Redis', () => onBackend(single.backend), 500],
  ['Upstash', () => onBackend(upstash.backend), 50],
  ['memory backend', () => onBackend(createMemoryRedis({ scripts: countWindowTwin })), 500],
];

describe.each(stores)('the %s store', (_name, create, burst) => {
  it('counts each key by itself, from one', async () => {
    const store = create();
    const counts = [await store.consume('a', 1), await store.consume('b', 1), await store.consume('a', 1)];
    expect(counts.map(({ consumedPoints }) => consumedPoints)).toEqual([1, 1, 2]);
  });

  it('gives each of many concurrent calls another count', async () => {
    const store = create();
    const counts = await Promise.all(Array.from({ length: burst }, () => store.consume('a', 1)));
    expect(counts.map(({ consumedPoints }) => consumedPoints).sort((a, b) => a - b)).toEqual(
      Array.from({ length: burst }, (_, index) => index + 1),
    );
  });

  it('goes on counting past the limit', async () => {
    const store = create();
    for (let i = 0; i < 7; i++) await store.consume('a', 1);
    expect((await store.consume('a', 1)).consumedPoints).toBe(8);
  });

  it('counts weights', async () => {
    const store = create();
    await store.consume('a', 4);
    expect((await store.consume('a', 3)).consumedPoints).toBe(7);
  });

  it('says when the window ends, and begins a new one after it', async () => {
    const store = create();
    const { msBeforeNext } = await store.consume('a', 1);
    expect(msBeforeNext).toBeGreaterThan(0);
    expect(msBeforeNext).toBeLessThanOrEqual(2000);
    await new Promise((resolve) => setTimeout(resolve, msBeforeNext + 20));
    expect((await store.consume('a', 1)).consumedPoints).toBe(1);
  });

  it('does not prolong the window by counting', async () => {
    const store = create();
    const first = await store.consume('a', 1);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const second = await store.consume('a', 1);
    expect(second.msBeforeNext).toBeLessThan(first.msBeforeNext - 200);
  });
});
