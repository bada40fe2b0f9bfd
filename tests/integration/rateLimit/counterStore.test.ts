/** One suite for every store of counters. */
import { pino } from 'pino';
import type { CounterStore } from '../../../src/rateLimit/counterStore.ts';
import { createMemoryStore } from '../../../src/rateLimit/memoryStore.ts';
import { createRedisStore } from '../../../src/rateLimit/redisStore.ts';
import { createClusterClient, type ClusterClient } from '../../../src/redis/clusterClient.ts';
import { sharedClusterNodes } from '../../environment/shared.ts';

const policy = { points: 5, durationSeconds: 2 };
let client: ClusterClient;

beforeAll(async () => {
  client = createClusterClient({ logger: pino({ level: 'silent' }) }, { nodes: sharedClusterNodes() });
  expect(await client.waitUntilReady(5000)).toBe(true);
});
afterAll(() => client.close());

const stores: [string, () => CounterStore][] = [
  ['memory', () => createMemoryStore({}, policy)],
  // 5 s: what is tested here is how it counts; tests/chaos has its deadlines.
  ['redis', () => createRedisStore(client, { ...policy, keyPrefix: `test:${process.pid}:${Math.random()}`, deadlineMs: 5000 })],
];

describe.each(stores)('the %s store', (_name, create) => {
  it('counts each key by itself, from one', async () => {
    const store = create();
    const counts = [await store.consume('a', 1), await store.consume('b', 1), await store.consume('a', 1)];
    expect(counts.map(({ consumedPoints }) => consumedPoints)).toEqual([1, 1, 2]);
  });

  it('gives each of many concurrent calls another count', async () => {
    const store = create();
    const counts = await Promise.all(Array.from({ length: 500 }, () => store.consume('a', 1)));
    expect(counts.map(({ consumedPoints }) => consumedPoints).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 500 }, (_, index) => index + 1),
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
