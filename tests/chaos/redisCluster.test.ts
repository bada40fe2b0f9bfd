/** The cluster client while nodes die, freeze and return: every call ends in time, and other shards feel nothing. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeAddress } from '../../src/config/clusterNodes.ts';
import { keySlot } from '../../src/redis/keySlot.ts';
import { createRedisCluster, type RedisCluster } from '../../src/redis/redisCluster.ts';
import { ask, startTestCluster, type TestCluster } from '../environment/redisCluster.ts';

const commandTimeout = 250;
/** A fifth for the deadline's ticks, the rest for timers of a loaded machine. */
const generousMs = commandTimeout * 1.2 + 500;

let cluster: TestCluster;
let redis: RedisCluster;
let unhandled: unknown[];
const onUnhandled = (reason: unknown) => void unhandled.push(reason);

beforeEach(async () => {
  unhandled = [];
  process.on('unhandledRejection', onUnhandled);
  cluster = await startTestCluster();
  redis = createRedisCluster(cluster.nodes, { commandTimeout, maxRetries: 1 });
  expect(await redis.waitUntilReady(10_000)).toBe(true);
});
afterEach(async () => {
  await redis.close();
  await cluster.stop();
  process.off('unhandledRejection', onUnhandled);
  expect(unhandled).toEqual([]);
});

interface Outcome {
  readonly shard: string;
  readonly error: Error | undefined;
  readonly ms: number;
  readonly at: number;
}

/** Random keys at about 1000 a second until all have succeeded for a second (after `minMs`), at most `maxMs`. */
async function load(minMs: number, maxMs: number): Promise<{ outcomes: Outcome[]; calm: boolean }> {
  const outcomes: Outcome[] = [];
  const pending = new Set<Promise<void>>();
  const startedAt = performance.now();
  let lastFailureAt = startedAt;
  const one = async () => {
    const key = `k${Math.random()}`;
    const [shard = ''] = redis.ownersOf(keySlot(key));
    const at = performance.now();
    let error: Error | undefined;
    await redis.executeCommand('set', key, 1, 'PX', 60_000).catch((reason: Error) => (error = reason));
    const now = performance.now();
    if (error !== undefined) lastFailureAt = now;
    outcomes.push({ shard, error, ms: now - at, at: at - startedAt });
  };
  const calm = () => performance.now() - Math.max(lastFailureAt, startedAt + minMs) > 1000;
  while (!calm() && performance.now() - startedAt < maxMs) {
    for (let i = 0; i < 5; i++) {
      const call: Promise<void> = one().finally(() => pending.delete(call));
      pending.add(call);
    }
    await sleep(5);
  }
  const wasCalm = calm();
  await Promise.all(pending);
  return { outcomes, calm: wasCalm };
}

function aMaster(): NodeAddress {
  const [address = ''] = redis.masters();
  return {
    host: address.slice(0, address.lastIndexOf(':')),
    port: Number(address.slice(address.lastIndexOf(':') + 1)),
  };
}

const nameOf = ({ host, port }: NodeAddress) => `${host}:${port}`;
const worst = (outcomes: Outcome[]) => Math.max(...outcomes.map(({ ms }) => ms));

/** The sick shard's calls end at once when its breaker is open; the others' never fail. */
function expectOnlyOneShardToSuffer(outcomes: Outcome[], sick: string): void {
  expect(worst(outcomes)).toBeLessThan(generousMs);
  const others = outcomes.filter(({ shard }) => shard !== sick);
  expect(others.length).toBeGreaterThan(100);
  expect(others.filter(({ error }) => error !== undefined)).toEqual([]);
  expect(outcomes.some(({ shard, error }) => shard === sick && error !== undefined)).toBe(true);
}

describe('a master that is killed', () => {
  it('costs its own keys only, and its replica is found by itself', async () => {
    const dead = aMaster();
    await cluster.kill(dead);
    const { outcomes, calm } = await load(1000, 30_000);
    expectOnlyOneShardToSuffer(outcomes, nameOf(dead));
    expect(calm).toBe(true);
    expect(redis.masters()).not.toContain(nameOf(dead));
    expect(redis.isCircuitBreakerOpen()).toBe(false);
  });
});

describe('a master that is frozen', () => {
  it('costs a few waits, then nothing, until its replica has taken over', async () => {
    const frozen = aMaster();
    const states: string[] = [];
    redis.breakers.events.on('state', (address, state) => {
      if (address === nameOf(frozen)) states.push(state);
    });
    await cluster.pause(frozen);
    const { outcomes, calm } = await load(1000, 30_000);
    expectOnlyOneShardToSuffer(outcomes, nameOf(frozen));
    expect(states[0]).toBe('open');
    // Once the first deadlines have passed nobody waits for the frozen node any more.
    const later = outcomes.filter(({ shard, at }) => shard === nameOf(frozen) && at > generousMs);
    expect(later.length).toBeGreaterThan(50);
    expect(later.filter(({ ms }) => ms > 200)).toHaveLength(0);
    expect(calm).toBe(true);
    await cluster.resume(frozen);
    // It returns as a replica, and disturbs nothing.
    expect((await load(1000, 10_000)).calm).toBe(true);
  });
});

describe('a freeze shorter than the node timeout', () => {
  it('is over as soon as the same master answers a probe', async () => {
    const frozen = aMaster();
    await cluster.pause(frozen);
    const under = load(500, 20_000);
    await sleep(1000);
    expect(redis.isCircuitBreakerOpen()).toBe(true);
    await cluster.resume(frozen);
    const { outcomes, calm } = await under;
    expect(worst(outcomes)).toBeLessThan(generousMs);
    expect(calm).toBe(true);
    expect(redis.isCircuitBreakerOpen()).toBe(false);
  });
});

describe('the whole cluster killed and restarted', () => {
  it('refuses in time, says so, and returns by itself without a storm of connections', async () => {
    const seen: string[] = [];
    redis.events.on('unavailable', () => seen.push('unavailable'));
    redis.events.on('ready', () => seen.push('ready'));
    for (const node of cluster.nodes) await cluster.kill(node);
    const away = await load(500, 2000);
    expect(worst(away.outcomes)).toBeLessThan(generousMs);
    expect(away.outcomes.every(({ error }) => error !== undefined)).toBe(true);
    expect(redis.isReady()).toBe(false);
    await Promise.all(cluster.nodes.map((node) => cluster.restart(node)));
    const back = await load(1000, 40_000);
    expect(worst(back.outcomes)).toBeLessThan(generousMs);
    expect(back.calm).toBe(true);
    expect(redis.isReady()).toBe(true);
    expect([seen[0], seen.at(-1)]).toEqual(['unavailable', 'ready']);
    for (const node of cluster.nodes) {
      const list = String(await ask(node, 'CLIENT', 'LIST'));
      // One for commands, one for ioredis's topology messages, one that reads the slots now and then.
      expect(list.split('\n').filter((line) => line.includes('sluice')).length).toBeLessThanOrEqual(4);
    }
  });
});
