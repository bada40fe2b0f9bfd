/**
 * The limiter while masters die: every request is answered, in time, and the limit holds up to the written bound
 * (src/rateLimit/limiter.ts): one limit a process and window more than Redis had let pass.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import type { NodeAddress } from '../../src/config/clusterNodes.ts';
import { createLimiter, type Decision, type Limiter } from '../../src/rateLimit/limiter.ts';
import { createMemoryStore } from '../../src/rateLimit/memoryStore.ts';
import { createRedisStore } from '../../src/rateLimit/redisStore.ts';
import { createClusterClient, type ClusterClient } from '../../src/redis/clusterClient.ts';
import { startTestCluster, type TestCluster } from '../environment/redisCluster.ts';

const policy = { name: 'default', points: 30, durationSeconds: 60 };
const deadlineMs = 50;
/** What the issue promises, plus what a loaded two-core machine adds to any timer. */
const promisedMs = 100;

let cluster: TestCluster;
let client: ClusterClient;
let limiter: Limiter;

beforeEach(async () => {
  cluster = await startTestCluster();
  client = createClusterClient({ logger: pino({ level: 'silent' }) }, { nodes: cluster.nodes });
  expect(await client.waitUntilReady(5000)).toBe(true);
  const store = createRedisStore(client, { ...policy, keyPrefix: 'rate', deadlineMs });
  limiter = createLimiter({ store, insurance: createMemoryStore({}, policy) }, policy);
});
afterEach(async () => {
  await client.close();
  await cluster.stop();
});

interface Observed {
  decisions: number;
  insured: number;
  failed: number;
  slow: number;
  worstMs: number;
}

/** Consumes with fresh keys at about 300 a second until `until` says so. */
async function observe(until: () => boolean, nextKey: () => string): Promise<Observed> {
  const seen: Observed = { decisions: 0, insured: 0, failed: 0, slow: 0, worstMs: 0 };
  const pending = new Set<Promise<void>>();
  while (!until()) {
    const startedAt = performance.now();
    const one: Promise<void> = limiter
      .consume(nextKey())
      .then(
        ({ countedBy }) => {
          seen.decisions += 1;
          if (countedBy === 'insurance') seen.insured += 1;
        },
        () => void (seen.failed += 1),
      )
      .then(() => {
        const ms = performance.now() - startedAt;
        seen.worstMs = Math.max(seen.worstMs, ms);
        if (ms > promisedMs) seen.slow += 1;
        pending.delete(one);
      });
    pending.add(one);
    await sleep(3);
  }
  await Promise.all(pending);
  return seen;
}

/** The master that this client believes to own the key. */
async function masterOf(key: string): Promise<NodeAddress> {
  const slots = (client.cluster as unknown as { slots: string[][] }).slots;
  const slot = Number(await client.cluster.cluster('KEYSLOT', `rate:${key}`));
  const [address = ''] = slots[slot] ?? [];
  const [host = '', port] = address.split(':');
  return { host, port: Number(port) };
}

/** Runs load with fresh keys until all keys are counted on Redis again, at most `ms`. */
async function untilHandedBack(ms: number): Promise<Observed & { seconds: number }> {
  const startedAt = performance.now();
  let key = 0;
  let calm = 0;
  const seen = await observe(
    () => {
      calm = limiter.insured ? 0 : calm + 1;
      return (performance.now() - startedAt > 1500 && calm > 50) || performance.now() - startedAt > ms;
    },
    () => `k${key++}`,
  );
  return { ...seen, seconds: (performance.now() - startedAt) / 1000 };
}

/** Timers of a loaded machine run late now and then: a hundredth may be over the promise, none far over it. */
function expectPromiseKept(seen: Observed): void {
  expect(seen.failed).toBe(0);
  expect(seen.decisions).toBeGreaterThan(200);
  expect(seen.slow).toBeLessThanOrEqual(Math.ceil(seen.decisions / 100));
  expect(seen.worstMs).toBeLessThan(5 * promisedMs);
}

describe('a master that is killed', () => {
  it('fails no request; its keys are counted here until its replica takes over', async () => {
    await limiter.consume('before');
    await cluster.kill(await masterOf('before'));
    const seen = await untilHandedBack(20_000);
    expectPromiseKept(seen);
    expect(seen.insured).toBeGreaterThan(0);
    expect(limiter.insured).toBe(false);
    expect(await limiter.consume('after')).toMatchObject({ countedBy: 'store' });
  });
});

describe('a master that is frozen', () => {
  it('fails no request, and the promoted replica is found though no connection ever broke', async () => {
    await limiter.consume('before');
    const frozen = await masterOf('before');
    await cluster.pause(frozen);
    const seen = await untilHandedBack(20_000);
    expectPromiseKept(seen);
    expect(seen.insured).toBeGreaterThan(0);
    expect(limiter.insured).toBe(false);
    expect(await masterOf('before')).not.toEqual(frozen);
    await cluster.resume(frozen);
  });
});

describe('the whole cluster away', () => {
  it('fails no request, and everything returns by itself', async () => {
    for (const node of cluster.nodes) await cluster.kill(node);
    let key = 0;
    const startedAt = performance.now();
    const away = await observe(
      () => performance.now() - startedAt > 2000,
      () => `a${key++}`,
    );
    expectPromiseKept(away);
    expect(away.insured).toBe(away.decisions);
    await Promise.all(cluster.nodes.map((node) => cluster.restart(node)));
    const back = await untilHandedBack(30_000);
    expectPromiseKept(back);
    expect(limiter.insured).toBe(false);
  });
});

describe('the limit of one address over a failover', () => {
  it('is passed by no more than one limit for this process, and holds again after it', async () => {
    const spend = async (count: number) => {
      const decisions: Decision[] = [];
      for (let i = 0; i < count; i++) decisions.push(await limiter.consume('one'));
      return decisions.filter(({ allowed }) => allowed).length;
    };
    const before = await spend(20);
    // What was counted is on the replica before the master dies: losing it would be another bound (REDIS_CLUSTER.md).
    await sleep(200);
    await cluster.kill(await masterOf('one'));
    const during = await spend(60);
    await untilHandedBack(20_000);
    const after = await spend(60);
    expect(before).toBe(20);
    expect(during).toBeLessThanOrEqual(policy.points);
    expect(before + during + after).toBeGreaterThanOrEqual(policy.points);
    expect(before + during + after).toBeLessThanOrEqual(2 * policy.points);
    expect(await limiter.consume('one')).toMatchObject({ allowed: false, countedBy: 'store' });
  });
});
