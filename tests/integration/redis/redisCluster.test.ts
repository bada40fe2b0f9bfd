import { ReplyError } from 'ioredis';
import { keySlot } from '../../../src/redis/keySlot.ts';
import { createRedisCluster, type RedisCluster, type RedisClusterOptions } from '../../../src/redis/redisCluster.ts';
import { freshPrefix } from '../../environment/clusterEnv.ts';
import { sharedClusterNodes } from '../../environment/shared.ts';

const open: RedisCluster[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((redis) => redis.close()));
});

async function connect(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  const redis = createRedisCluster(sharedClusterNodes(), { keyPrefix: freshPrefix(), ...options });
  open.push(redis);
  expect(await redis.waitUntilReady(10_000)).toBe(true);
  return redis;
}

const keys = Array.from({ length: 300 }, (_, index) => `k${index}`);

describe('the cluster client', () => {
  it('works with nothing but nodes', async () => {
    const redis = createRedisCluster(sharedClusterNodes());
    open.push(redis);
    expect(await redis.waitUntilReady(10_000)).toBe(true);
    expect(await redis.executeCommand('PING')).toBe('PONG');
    expect(redis.isReady()).toBe(true);
  });

  it('takes each key to its shard, and each answer to its caller', async () => {
    const redis = await connect();
    await Promise.all(keys.map((key) => redis.executeCommand('SET', key, `value of ${key}`, 'PX', 60_000)));
    const values = await Promise.all(keys.map((key) => redis.executeCommand('get', key)));
    expect(values).toEqual(keys.map((key) => `value of ${key}`));
    expect(await redis.executeCommand('get', 'nothing')).toBeNull();
  });

  it('puts its prefix before every key, and sends bytes as they are', async () => {
    const keyPrefix = freshPrefix();
    const redis = await connect({ keyPrefix });
    await redis.executeCommand('set', 'a', Buffer.from([0xc3, 0xa9]), 'PX', 60_000);
    expect(await redis.getCluster().get(`${keyPrefix}a`)).toBe('é');
  });

  it('sends a script as its hash, and its text only to a node that does not know it', async () => {
    const redis = await connect();
    const script = { name: 'add', lua: `return redis.call('incrby', KEYS[1], ARGV[1]) -- ${freshPrefix()}` };
    const counts = await Promise.all(keys.map((key) => redis.runScript(script, [`n${key}`], [2])));
    expect(counts).toEqual(keys.map(() => 2));
    await Promise.all(
      redis
        .getCluster()
        .nodes('master')
        .map((node) => node.script('FLUSH')),
    );
    expect(await redis.runScript(script, ['nk0'], [3])).toBe(5);
    await redis.executeCommand('pexpire', 'nk0', 60_000);
  });

  it("gives the server's own errors to the caller and trips no breaker on them", async () => {
    const redis = await connect({ circuitBreakerThreshold: 2 });
    await redis.executeCommand('set', 'text', 'x', 'PX', 60_000);
    for (let i = 0; i < 10; i++)
      await expect(redis.executeCommand('incr', 'text')).rejects.toThrow(ReplyError as typeof Error);
    expect(redis.isCircuitBreakerOpen()).toBe(false);
    expect(redis.report().operations).toMatchObject({ total: 11, successful: 1, failed: 10 });
  });

  it('follows redirections when its map is wrong, and counts nothing twice', async () => {
    const redis = await connect();
    const { slots } = redis.getCluster();
    const right = slots.slice();
    const owners = [...new Set(right.map((group) => group))];
    for (let slot = 0; slot < slots.length; slot++) {
      slots[slot] = owners[(owners.indexOf(right[slot] ?? []) + 1) % owners.length] ?? [];
    }
    const counts = await Promise.all(keys.map((key) => redis.executeCommand('incr', `moved:${key}`)));
    expect(counts).toEqual(keys.map(() => 1));
    await Promise.all(keys.map((key) => redis.executeCommand('pexpire', `moved:${key}`, 60_000)));
  });

  it('refuses what would disturb the others on its connection', async () => {
    const redis = await connect();
    await expect(redis.executeCommand('MULTI')).rejects.toThrow(TypeError);
    await expect(redis.executeCommand('blpop', 'list', 0)).rejects.toThrow(/connection of its own/);
  });

  it('refuses more than it may have in flight', async () => {
    const redis = await connect({ maxInFlight: 10 });
    const outcomes = await Promise.allSettled(keys.slice(0, 20).map((key) => redis.executeCommand('get', key)));
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(10);
    expect(await redis.executeCommand('get', 'a')).toBeNull();
  });
});

describe('the slot of a key', () => {
  it('is the one that the server says, for odd tags too', async () => {
    const redis = await connect();
    for (const key of ['a', '{a}b', '{}}', '{}', 'x{}{y}', '{{a}}', '}{', 'é{ü}', '']) {
      expect([key, await redis.executeCommand('cluster', 'keyslot', key)]).toEqual([key, keySlot(key)]);
    }
  });
});

describe('who is asked', () => {
  const answeredBy = (redis: RedisCluster, role: string) =>
    redis.getStats().nodes.filter((node) => node.role === role && node.recentLatencySeconds > 0).length;

  it('is the master by default', async () => {
    const redis = await connect();
    await Promise.all(keys.map((key) => redis.executeCommand('get', key)));
    expect([answeredBy(redis, 'master'), answeredBy(redis, 'replica')]).toEqual([3, 0]);
  });

  it('is a replica for reads, the master for writes, where replicas are asked for', async () => {
    const redis = await connect({ readFrom: 'replica' });
    // Replicas are connected in the background.
    while (redis.report().connections.total < 6) await new Promise((resolve) => setTimeout(resolve, 10));
    await Promise.all(keys.map((key) => redis.executeCommand('get', key)));
    expect([answeredBy(redis, 'master'), answeredBy(redis, 'replica')]).toEqual([0, 3]);
    await Promise.all(keys.map((key) => redis.executeCommand('set', key, 1, 'PX', 60_000)));
    expect(answeredBy(redis, 'master')).toBe(3);
  });

  it('is the fastest for reads where the nearest is asked for', async () => {
    const redis = await connect({ readFrom: 'nearest' });
    while (redis.report().connections.total < 6) await new Promise((resolve) => setTimeout(resolve, 10));
    for (const key of keys) await redis.executeCommand('get', key);
    expect(answeredBy(redis, 'master') + answeredBy(redis, 'replica')).toBe(6);
    expect(redis.report().operations.failed).toBe(0);
  });
});

describe('a pool', () => {
  it('opens as many connections to each node, and uses all', async () => {
    const redis = await connect({ connectionPoolSize: 2 });
    while (redis.report().connections.total < 12) await new Promise((resolve) => setTimeout(resolve, 10));
    await Promise.all(keys.map((key) => redis.executeCommand('set', key, key, 'PX', 60_000)));
    expect(await Promise.all(keys.map((key) => redis.executeCommand('get', key)))).toEqual(keys);
    expect(redis.report().nodes.map(({ connections }) => connections)).toEqual([2, 2, 2, 2, 2, 2]);
  });
});

describe('reports', () => {
  it('tell counts, latencies, nodes and breakers', async () => {
    const redis = await connect({ healthCheckInterval: 20 });
    for (const key of keys.slice(0, 20)) await redis.executeCommand('get', key);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const stats = redis.getStats();
    expect(stats).toMatchObject({ type: 'cluster', ready: true, operations: { total: 20, successful: 20, failed: 0 } });
    expect(stats.latency.p50).toBeGreaterThan(0);
    expect(stats.nodes).toHaveLength(6);
    expect(stats.nodes.filter(({ breaker }) => breaker === 'closed')).toHaveLength(3);
    expect(stats.nodes.every(({ lastHealthCheck }) => lastHealthCheck !== undefined)).toBe(true);
    expect(redis.getMetrics()).toMatchObject({ nodes: { total: 6, master: 3, slave: 3 }, latencyCount: 20 });
  });
});

describe('guard', () => {
  it('runs work of others under the breaker of the key, and counts it', async () => {
    const redis = await connect();
    const key = `${freshPrefix()}guarded`;
    expect(await redis.guard(key, () => redis.getCluster().set(key, '1', 'PX', 60_000))).toBe('OK');
    const [owner = ''] = redis.ownersOf(keySlot(key));
    for (let i = 0; i < 5; i++)
      await expect(redis.guard(key, () => Promise.reject(new Error('lost')))).rejects.toThrow('lost');
    expect(redis.breakers.of(owner).isClosed).toBe(false);
    await expect(redis.guard(key, () => Promise.resolve(1))).rejects.toThrow(/circuit breaker/);
    expect(redis.isCircuitBreakerOpen()).toBe(true);
    redis.manualResetCircuitBreaker();
    expect(redis.isCircuitBreakerOpen()).toBe(false);
    expect(await redis.guard(key, () => Promise.resolve(1))).toBe(1);
  });
});

describe('a cluster that is not there', () => {
  it('refuses at once, hangs nowhere, and closes', async () => {
    const redis = createRedisCluster([{ host: '127.0.0.1', port: 1 }], { maxRetries: 0 });
    const startedAt = performance.now();
    await expect(redis.executeCommand('get', 'a')).rejects.toThrow(/not connected/);
    expect(performance.now() - startedAt).toBeLessThan(500);
    expect(redis.isReady()).toBe(false);
    await redis.disconnect();
  });
});
