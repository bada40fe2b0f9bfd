/** The memory backend beside a real Redis: the same commands must have the same replies and errors. */
import { createMemoryRedis } from '../../../src/redis/memoryRedis.ts';
import { createSingleRedis, type SingleRedis } from '../../../src/redis/singleRedis.ts';
import { waitUntilReady } from '../../../src/redis/waitUntilReady.ts';
import { startSingleRedis, type TestRedis } from '../../environment/singleRedis.ts';

let server: TestRedis;
let real: SingleRedis;
beforeAll(async () => {
  server = await startSingleRedis();
  real = createSingleRedis({ url: server.url, commandTimeoutMs: 5000 });
  expect(await waitUntilReady(real, 5000)).toBe(true);
});
afterAll(async () => {
  await real.close();
  await server.stop();
});

/** In this order, on one keyspace: what a command leaves behind is seen by the next. */
const script = `
ping | ping hello | ping a b | nonsense | nonsense a b | get | get a b
set a 1 | get a | incr a | incrby a 10 | incrby a -20 | decr a | incrby a 1.5 | incrby a x | incr a b | decr
set a 9223372036854775807 | incr a | set a -9223372036854775808 | decr a | incrby a 9223372036854775808
set t text | incr t | set t 012 | incr t | set t -0 | incr t | set t +1 | incr t
set a b EX 0 | set a b EX x | set a b EX | set a b PX -5 | set a b EX 9223372036854775807 | set a b EX 5 PX 5
set a b foo | set a b NX XX | set a b KEEPTTL EX 5 | set a b EX 5 KEEPTTL | set a b KEEPTTL KEEPTTL | set a b NX NX
set a 1 EX 100 | ttl a | set a 2 KEEPTTL | ttl a | set a 3 | ttl a | incr a | set a 4 px 100000 | incr a | ttl a
set new 1 XX | get new | set new 1 NX | set new 2 NX | get new | set new 3 XX | get new | set new 4 GET | set none 1 GET | set new 5 NX GET | set miss 5 XX GET | get miss
expire a 50 | ttl a | expire a x | expire missing x | expire missing 5 | expire a 9223372036854775807 | pexpire a 9223372036854775807
expire a 5 foo | expire a 5 NX XX | expire a 5 GT LT | expire a 5 NX | expire a 500 XX | expire a 5 GT | expire a 5 LT | ttl a | persist a | persist a | ttl a
expire a 10 XX | expire a 10 GT | expire a 10 LT | ttl a | persist missing | ttl missing | pttl missing | persist a | pttl a
expire a -1 | get a | set a 1 | pexpire a 0 | exists a
mset m1 a m2 b | mget m1 missing m2 | mset m1 | mset m1 a m2 | mget | mset m1 c m1 d | get m1
hset h a 1 b 2 | hset h a 3 c 4 | hget h a | hget h zz | hget missing a | hgetall h | hgetall missing | hdel h a zz a | hdel missing a
hset h a | hset h a 1 b | hset | hget h | hset m1 a b | hget m1 a | hdel m1 a | hgetall m1 | get h | incr h | set h x GET | mget h m1
expire h 100 | hset h z 9 | ttl h | hdel h b c z | exists h | hset h __proto__ x constructor y | hgetall h | set h over | get h
exists m1 m1 missing | exists | del m1 m1 missing | del | unlink m2 | dbsize | dbsize x | flushall foo | flushall async x | dbsize | flushall async | dbsize | flushall | flushall SYNC
`;
const commands = script
  .split(/[|\n]/)
  .map((line) => line.trim())
  .filter((line) => line !== '');

it('answers and refuses word for word as Redis', async () => {
  const memory = createMemoryRedis();
  const ask = (backend: typeof memory | SingleRedis, [name = '', ...args]: string[]) =>
    backend.executeCommand(name, ...args).catch((error: Error) => `${error.name}: ${error.message}`);
  for (const command of commands) {
    const words = command.split(' ');
    const [expected, got] = [await ask(real, words), await ask(memory, words)];
    expect({ command, reply: got }).toEqual({ command, reply: expected });
  }
  expect(commands.length).toBeGreaterThan(140);
});
