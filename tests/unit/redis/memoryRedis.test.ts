import { RedisUnavailableError } from '../../../src/redis/backend.ts';
import { createMemoryRedis } from '../../../src/redis/memoryRedis.ts';

it('drops a key when its time is over, and not before', async () => {
  const clock = { ms: 1_000_000 };
  const memory = createMemoryRedis({}, { now: () => clock.ms });
  await memory.executeCommand('set', 'key', '1', 'PX', 100);
  clock.ms += 99;
  expect(await memory.executeCommand('pttl', 'key')).toBe(1);
  clock.ms += 1;
  expect(await memory.executeCommand('get', 'key')).toBeNull();
  expect(await memory.executeCommand('incr', 'key')).toBe(1);
  expect(await memory.executeCommand('ttl', 'key')).toBe(-1);
});

it('holds at most maxKeys, and forgets the one that was not used for longest', async () => {
  const memory = createMemoryRedis({ maxKeys: 3 });
  for (const key of ['a', 'b', 'c']) await memory.executeCommand('set', key, '1');
  await memory.executeCommand('get', 'a');
  await memory.executeCommand('set', 'd', '1');
  expect(await memory.executeCommand('mget', 'a', 'b', 'c', 'd')).toEqual(['1', null, '1', '1']);
  expect(await memory.executeCommand('dbsize')).toBe(3);
});

it('holds at most maxBytes, in hashes too, and refuses what alone is larger without a change', async () => {
  const memory = createMemoryRedis({ maxBytes: 10_000 });
  for (let i = 0; i < 100; i++) await memory.executeCommand('set', `key${i}`, 'x'.repeat(500));
  expect(await memory.executeCommand('dbsize')).toBeLessThan(20);
  await memory.executeCommand('hset', 'hash', 'small', '1');
  await expect(memory.executeCommand('hset', 'hash', 'large', 'x'.repeat(20_000))).rejects.toThrow(/^OOM /);
  expect(await memory.executeCommand('hgetall', 'hash')).toEqual({ small: '1' });
});

it('runs a script by its native twin, in one piece and under the prefix', async () => {
  const memory = createMemoryRedis({
    keyPrefix: 'p:',
    scripts: { twice: (call, [key = ''], [by = '']) => [key, call('incrby', key, by), call('incrby', key, by)] },
  });
  expect(await memory.runScript({ name: 'twice', lua: '' }, ['n'], [5])).toEqual(['p:n', 5, 10]);
  expect(await memory.executeCommand('get', 'n')).toBe('10');
  await expect(memory.runScript({ name: 'other', lua: '' }, [], [])).rejects.toThrow(RedisUnavailableError);
  await expect(memory.runScript({ name: 'other', lua: '' }, [], [])).rejects.toThrow(/"other"/);
});
