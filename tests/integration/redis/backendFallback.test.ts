/** The chain of backends on real servers that are killed, frozen and started again. */
import { setTimeout as pause } from 'node:timers/promises';
import type { RedisBackend } from '../../../src/redis/backend.ts';
import { createFallbackBackend, type FallbackBackend, type Move } from '../../../src/redis/fallbackBackend.ts';
import { createMemoryRedis } from '../../../src/redis/memoryRedis.ts';
import { createSingleRedis } from '../../../src/redis/singleRedis.ts';
import { createUpstashRedis } from '../../../src/redis/upstashRedis.ts';
import { waitUntilReady } from '../../../src/redis/waitUntilReady.ts';
import { startSingleRedis, type TestRedis } from '../../environment/singleRedis.ts';
import { startUpstashServer, type UpstashServer } from '../../environment/upstashServer.ts';

const quick = { lossMs: 200, stableMs: 300, probeMs: 50 };
const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function server(): Promise<TestRedis> {
  const started = await startSingleRedis();
  cleanUps.push(() => started.stop());
  return started;
}

async function chainOf(
  ...backends: [RedisBackend, ...RedisBackend[]]
): Promise<{ chain: FallbackBackend; moves: Move[] }> {
  for (const backend of backends) expect(await waitUntilReady(backend, 10_000)).toBe(true);
  const chain = createFallbackBackend(backends, quick);
  cleanUps.push(() => chain.close());
  const moves: Move[] = [];
  chain.events.on('moved', (move) => moves.push(move));
  return { chain, moves };
}

async function until(condition: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > giveUpAt) throw new Error('it did not come to that within 20 s');
    await pause(10);
  }
}

const routes = (moves: readonly Move[]) => moves.map(({ from, to }) => `${from} → ${to}`);

it('moves to memory when the server is killed, and returns by itself when it has been back for a while', async () => {
  const redis = await server();
  const single = createSingleRedis({ url: redis.url, commandTimeoutMs: 200 });
  const { chain, moves } = await chainOf(single, createMemoryRedis());
  await chain.executeCommand('set', 'key', 'in redis');
  expect(chain.status()).toMatchObject({ active: 'single', preferred: 'single', moves: 0, lastMove: undefined });

  await redis.kill();
  await until(() => moves.length === 1);
  expect(chain).toMatchObject({ type: 'memory', distributed: false });
  expect(chain.isReady()).toBe(true);
  await chain.executeCommand('set', 'key', 'in memory');
  expect(await chain.executeCommand('get', 'key')).toBe('in memory');

  await redis.start();
  await until(() => chain.type === 'single');
  await chain.executeCommand('set', 'key', 'in redis again');
  expect(await single.executeCommand('get', 'key')).toBe('in redis again');
  expect(routes(moves)).toEqual(['single → memory', 'memory → single']);
  expect(moves.every(({ reason }) => reason !== '')).toBe(true);
  expect(chain.report().fallback).toMatchObject({ active: 'single', moves: 2, lastMove: { to: 'single' } });
  expect(chain.report().operations.total).toBeGreaterThanOrEqual(5);
});

it('loses no command to a dead server but those that were on their way', async () => {
  const redis = await server();
  const { chain } = await chainOf(createSingleRedis({ url: redis.url, commandTimeoutMs: 200 }), createMemoryRedis());
  let failed = 0;
  let done = false;
  const callers = Array.from({ length: 10 }, async () => {
    while (!done) {
      await chain.executeCommand('incr', 'counter').catch(() => (failed += 1));
      await pause(1);
    }
  });
  await pause(200);
  await redis.kill();
  await pause(500);
  done = true;
  await Promise.all(callers);
  expect(failed).toBeLessThanOrEqual(10);
});

it('moves away from a frozen server, whose commands are not done twice', async () => {
  const redis = await server();
  const memory = createMemoryRedis();
  const { chain, moves } = await chainOf(createSingleRedis({ url: redis.url, commandTimeoutMs: 200 }), memory);
  redis.freeze();
  const lost = await Promise.allSettled(Array.from({ length: 5 }, () => chain.executeCommand('incr', 'counter')));
  expect(lost.map(({ status }) => status)).toEqual(Array<string>(5).fill('rejected'));
  await until(() => moves.length === 1);
  expect(await memory.executeCommand('get', 'counter')).toBeNull();
  expect(await chain.executeCommand('incr', 'counter')).toBe(1);
  redis.thaw();
  await until(() => chain.type === 'single');
});

it('goes down the chain one by one, and back to the best', async () => {
  const [first, upstash]: [TestRedis, UpstashServer] = await Promise.all([server(), startUpstashServer()]);
  cleanUps.push(() => upstash.stop());
  const { chain, moves } = await chainOf(
    createSingleRedis({ url: first.url, commandTimeoutMs: 200 }),
    createUpstashRedis({ url: upstash.url, token: upstash.token, commandTimeoutMs: 1000 }),
    createMemoryRedis(),
  );
  await first.kill();
  await until(() => chain.type === 'upstash');
  await upstash.kill();
  // Nobody has asked Upstash yet: these commands find out, and none is done elsewhere that may have been done there.
  await until(() => {
    chain.executeCommand('ping').catch(() => undefined);
    return chain.type === 'memory';
  });
  await first.start();
  await until(() => chain.type === 'single');
  expect(routes(moves)).toEqual(['single → upstash', 'upstash → memory', 'memory → single']);
});

it('says that it cannot serve when all of the chain is lost, and that it can when one is back', async () => {
  const redis = await server();
  const { chain } = await chainOf(createSingleRedis({ url: redis.url, commandTimeoutMs: 200 }));
  const unavailable = new Promise<Error>((resolve) => chain.events.once('unavailable', resolve));
  await redis.kill();
  expect(await unavailable).toBeInstanceOf(Error);
  await expect(chain.executeCommand('ping')).rejects.toThrow(/not connected/);
  await redis.start();
  expect(await waitUntilReady(chain, 10_000)).toBe(true);
  expect(await chain.executeCommand('ping')).toBe('PONG');
});
