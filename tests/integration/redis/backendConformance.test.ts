/** One suite for every backend: what they answer, how they refuse, how they fail and return. */
import { setTimeout as pause } from 'node:timers/promises';
import { NoAnswerError } from '../../../src/redis/answerDeadline.ts';
import { RedisUnavailableError, type RedisBackend } from '../../../src/redis/backend.ts';
import { waitUntilReady } from '../../../src/redis/waitUntilReady.ts';
import { backendKinds, type BackendServer, type Faults } from '../../environment/backends.ts';
import { freshPrefix } from '../../environment/clusterEnv.ts';

const addScript = { name: 'add', lua: "return redis.call('incrby', KEYS[1], ARGV[1])" };

async function outcome(work: Promise<unknown>): Promise<unknown> {
  return work.catch((error: Error) => error);
}

describe.each(backendKinds)('$name', ({ type, distributed, hasLua, start }) => {
  let server: BackendServer;
  let backend: RedisBackend;
  let keyPrefix: string;

  beforeAll(async () => {
    server = await start();
    keyPrefix = freshPrefix();
    // What is tested here is what it answers; the deadlines are below.
    backend = server.open({ keyPrefix, commandTimeoutMs: 5000 });
    expect(await waitUntilReady(backend, 10_000)).toBe(true);
  });
  afterAll(async () => {
    await backend.close();
    await server.stop();
  });

  it('says what it is', () => {
    expect(backend).toMatchObject({ type, distributed });
    expect(backend.report()).toMatchObject({ type, ready: true });
  });

  it('answers as Redis does', async () => {
    expect(await backend.executeCommand('ping')).toBe('PONG');
    expect(await backend.executeCommand('get', 'missing')).toBeNull();
    expect(await backend.executeCommand('set', 'text', 'ümlaut ✓', 'PX', 60_000)).toBe('OK');
    expect(await backend.executeCommand('get', 'text')).toBe('ümlaut ✓');
    expect(await backend.executeCommand('SET', 'text', 'other', 'NX')).toBeNull();
    expect(await backend.executeCommand('set', 'text', 'OK', 'KEEPTTL', 'GET')).toBe('ümlaut ✓');
    expect(await backend.executeCommand('get', 'text')).toBe('OK');
    expect(await backend.executeCommand('pttl', 'text')).toBeGreaterThan(0);
    expect(await backend.executeCommand('set', 'number', '12')).toBe('OK');
    expect(await backend.executeCommand('get', 'number')).toBe('12');
    expect(await backend.executeCommand('incrby', 'number', 30)).toBe(42);
    expect(await backend.executeCommand('expire', 'number', 100)).toBe(1);
    expect(await backend.executeCommand('ttl', 'number')).toBe(100);
    expect(await backend.executeCommand('del', 'number')).toBe(1);
    expect(await backend.executeCommand('exists', 'number')).toBe(0);
  });

  it('answers HGETALL with an object, whatever the case of the command', async () => {
    expect(await backend.executeCommand('hset', 'hash', 'a', '1', 'b', '')).toBe(2);
    expect(await backend.executeCommand('hgetall', 'hash')).toEqual({ a: '1', b: '' });
    expect(await backend.executeCommand('HGETALL', 'hash')).toEqual({ a: '1', b: '' });
    expect(await backend.executeCommand('hgetall', 'missing')).toEqual({});
  });

  it('takes several keys of one slot', async () => {
    expect(await backend.executeCommand('mset', '{s}1', 'a', '{s}2', 'b')).toBe('OK');
    expect(await backend.executeCommand('mget', '{s}1', '{s}3', '{s}2')).toEqual(['a', null, 'b']);
  });

  it('takes text as a buffer', async () => {
    await backend.executeCommand('set', 'buffer', Buffer.from('née'));
    expect(await backend.executeCommand('get', 'buffer')).toBe('née');
  });

  it.each([
    [['hget', 'string', 'f'], /^WRONGTYPE /],
    [['incr', 'string'], /^ERR value is not an integer or out of range$/],
    [['set', 'string'], /^ERR wrong number of arguments for 'set' command$/],
    [['set', 'string', 'a', 'NX', 'XX'], /^ERR syntax error$/],
    [['set', 'string', 'a', 'EX', '0'], /^ERR invalid expire time in 'set' command$/],
  ])('refuses %j as Redis does', async ([name = '', ...args], message) => {
    await backend.executeCommand('set', 'string', 'text');
    const error = (await outcome(backend.executeCommand(name, ...args))) as Error;
    expect(error).toMatchObject({ name: 'ReplyError', message: expect.stringMatching(message) });
    expect(await backend.executeCommand('get', 'string')).toBe('text');
  });

  it('refuses a command that does not exist', async () => {
    expect(await outcome(backend.executeCommand('nonsense', 'a'))).toMatchObject({
      message: expect.stringMatching(/unknown command/i),
    });
  });

  it('counts every one of many concurrent calls', async () => {
    const replies = await Promise.all(
      Array.from({ length: 300 }, () => backend.executeCommand<number>('incr', 'concurrent')),
    );
    expect(replies.sort((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, index) => index + 1));
  });

  it('keeps to its prefix', async () => {
    const other = server.open({ keyPrefix: `${keyPrefix}other:`, commandTimeoutMs: 5000 });
    try {
      await waitUntilReady(other, 10_000);
      await backend.executeCommand('set', 'mine', 'a');
      expect(await other.executeCommand('exists', 'mine')).toBe(0);
      await other.executeCommand('set', 'mine', 'b');
      expect(await backend.executeCommand('get', 'mine')).toBe('a');
      if (distributed) expect(await backend.executeCommand('get', 'other:mine')).toBe('b');
    } finally {
      await other.close();
    }
  });

  it('runs a script under its prefix, or says that it cannot', async () => {
    const run = () => backend.runScript(addScript, ['scripted'], [5]);
    if (!hasLua) return expect(await outcome(run())).toBeInstanceOf(RedisUnavailableError);
    expect([await run(), await run()]).toEqual([5, 10]);
    expect(await backend.executeCommand('get', 'scripted')).toBe('10');
  });

  it('reports what it has done', async () => {
    const before = backend.report().operations;
    await backend.executeCommand('set', 'reported', '1');
    await outcome(backend.executeCommand('hget', 'reported', 'f'));
    const { operations, latency, uptimeSeconds } = backend.report();
    expect(operations.total - before.total).toBe(2);
    expect(operations.successful + operations.failed).toBe(operations.total);
    expect(latency.p99).toBeGreaterThanOrEqual(latency.p50);
    expect(latency.p50).toBeGreaterThan(0);
    expect(uptimeSeconds).toBeGreaterThan(0);
  });

  it('refuses at once after it was closed', async () => {
    const other = server.open({ keyPrefix, commandTimeoutMs: 5000 });
    await waitUntilReady(other, 10_000);
    await other.close();
    expect(other.isReady()).toBe(false);
    expect(await outcome(other.executeCommand('ping'))).toBeInstanceOf(RedisUnavailableError);
  });
});

const breakable = backendKinds.flatMap(({ name, startToBreak }) =>
  startToBreak === undefined ? [] : [{ name, startToBreak }],
);

describe.each(breakable)('$name that fails', ({ startToBreak }) => {
  let server: BackendServer & Faults;
  let backend: RedisBackend;

  beforeAll(async () => {
    server = await startToBreak();
    backend = server.open({ keyPrefix: freshPrefix(), commandTimeoutMs: 300 });
    expect(await waitUntilReady(backend, 10_000)).toBe(true);
  });
  afterAll(async () => {
    await server.thaw().catch(() => undefined);
    await backend.close();
    await server.stop();
  });

  it('gives up when there is no answer, says so, and serves again when there is', async () => {
    const unavailable = new Promise<Error>((resolve) => backend.events.once('unavailable', resolve));
    await server.freeze();
    const begunAt = performance.now();
    expect(await outcome(backend.executeCommand('set', 'frozen', '1'))).toBeInstanceOf(NoAnswerError);
    // Generous: the deadline is 300 ms, and this machine is noisy.
    expect(performance.now() - begunAt).toBeLessThan(2000);
    const giveUpAt = performance.now() + 20_000;
    while (backend.isReady() && performance.now() < giveUpAt) {
      await outcome(
        Promise.all(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((key) => backend.executeCommand('get', key))),
      );
    }
    expect(await unavailable).toBeInstanceOf(Error);
    expect(await outcome(backend.executeCommand('get', 'frozen'))).toBeInstanceOf(RedisUnavailableError);
    await server.thaw();
    expect(await waitUntilReady(backend, 30_000)).toBe(true);
    await untilServed(backend);
  });

  it('fails at once when the server is gone, and serves again by itself when it is back', async () => {
    const unavailable = new Promise<Error>((resolve) => backend.events.once('unavailable', resolve));
    await server.kill();
    const giveUpAt = performance.now() + 20_000;
    while (backend.isReady() && performance.now() < giveUpAt) {
      await outcome(backend.executeCommand('get', `key${Math.random()}`));
      await pause(5);
    }
    await unavailable;
    const begunAt = performance.now();
    const refusals = await Promise.all(
      Array.from({ length: 100 }, () => outcome(backend.executeCommand('incr', 'counter'))),
    );
    for (const refusal of refusals) expect(refusal).toBeInstanceOf(RedisUnavailableError);
    expect(performance.now() - begunAt).toBeLessThan(2000);
    await server.restart();
    expect(await waitUntilReady(backend, 30_000)).toBe(true);
    await untilServed(backend);
  });
});

/** A cluster is ready as soon as one shard is; the others take a moment. */
async function untilServed(backend: RedisBackend): Promise<void> {
  const giveUpAt = performance.now() + 30_000;
  for (;;) {
    const replies = await outcome(
      Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((key) => backend.executeCommand('set', key, '1'))),
    );
    if (Array.isArray(replies)) return;
    if (performance.now() > giveUpAt) throw replies as Error;
    await pause(50);
  }
}
