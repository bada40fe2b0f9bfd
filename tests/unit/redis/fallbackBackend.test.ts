import { EventEmitter } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { NoAnswerError } from '../../../src/redis/answerDeadline.ts';
import {
  RedisUnavailableError,
  type BackendEvents,
  type BackendType,
  type RedisBackend,
} from '../../../src/redis/backend.ts';
import { createFallbackBackend, type FallbackOptions, type Move } from '../../../src/redis/fallbackBackend.ts';
import { createMemoryRedis } from '../../../src/redis/memoryRedis.ts';
import { replyError } from '../../../src/redis/serverReply.ts';

type Fake = RedisBackend & { ready: boolean; fail: Error | undefined; commands: string[]; lose(): void; come(): void };

/** A backend that does what it is told to: the order of events is what is tested here. */
function fake(type: BackendType): Fake {
  const memory = createMemoryRedis();
  const events = new EventEmitter<BackendEvents>();
  const backend: Fake = {
    ...memory,
    type,
    events,
    ready: true,
    fail: undefined,
    commands: [],
    isReady: () => backend.ready,
    // eslint-disable-next-line @typescript-eslint/require-await
    async executeCommand<Reply>(name: string) {
      if (name !== 'exists') backend.commands.push(name);
      if (!backend.ready) throw new RedisUnavailableError('not connected');
      if (backend.fail) throw backend.fail;
      return type as Reply;
    },
    lose() {
      backend.ready = false;
      events.emit('unavailable', new Error('lost'));
    },
    come() {
      backend.ready = true;
      events.emit('ready');
    },
  };
  return backend;
}

function chainOf(first: Fake, second: Fake, options: FallbackOptions = {}) {
  const clock = { ms: 0 };
  const chain = createFallbackBackend(
    [first, second],
    { probeMs: 5, ...options },
    { now: () => clock.ms, random: () => 0 },
  );
  open.push(chain);
  const moves: Move[] = [];
  chain.events.on('moved', (move) => moves.push(move));
  return { chain, clock, moves };
}

const open: { close(): Promise<void> }[] = [];
afterEach(() => Promise.all(open.splice(0).map((chain) => chain.close())));

/** Lets a few probes run. */
const probes = () => pause(40);

it('does not move for one command that fails, nor for error replies', async () => {
  const [first, second] = [fake('cluster'), fake('single')];
  const { chain, clock, moves } = chainOf(first, second);
  for (let i = 0; i < 20; i++) {
    clock.ms += 100;
    first.fail = [new NoAnswerError('late'), replyError('ERR no'), undefined][i % 3];
    await chain.executeCommand('get').catch(() => undefined);
  }
  expect(moves).toEqual([]);
});

it('moves when every command has failed for long enough, though the backend says that it is ready', async () => {
  const [first, second] = [fake('cluster'), fake('single')];
  const { chain, clock, moves } = chainOf(first, second, { lossMs: 500, lossCommands: 5 });
  first.fail = replyError('CLUSTERDOWN The cluster is down');
  for (let i = 0; i < 6; i++) {
    await chain.executeCommand('get').catch(() => undefined);
    clock.ms += 100;
  }
  expect(moves).toEqual([{ from: 'cluster', to: 'single', reason: 'CLUSTERDOWN The cluster is down' }]);
});

it('repeats a command that was not sent, once, and never one that may have been done', async () => {
  const [first, second] = [fake('cluster'), fake('single')];
  const { chain, moves } = chainOf(first, second);
  first.ready = false;
  expect(await chain.executeCommand('incr')).toBe('single');
  expect(second.commands).toEqual(['incr']);

  const third = fake('cluster');
  const fourth = fake('single');
  const other = chainOf(third, fourth);
  third.executeCommand = () => {
    third.lose();
    return Promise.reject(new NoAnswerError('the connection was lost'));
  };
  await expect(other.chain.executeCommand('incr')).rejects.toBeInstanceOf(NoAnswerError);
  expect([...moves, ...other.moves]).toHaveLength(2);
  expect(fourth.commands).toEqual([]);
});

it('leaves the commands of one shard that is out where they are', async () => {
  const [first, second] = [fake('cluster'), fake('single')];
  const { chain } = chainOf(first, second);
  first.fail = new RedisUnavailableError('the breaker of 127.0.0.1:7000 is open');
  await expect(chain.executeCommand('incr')).rejects.toBe(first.fail);
  expect(second.commands).toEqual([]);
});

it('returns only after it has been well without a break for the whole time', async () => {
  const [first, second] = [fake('cluster'), fake('single')];
  const { chain, clock } = chainOf(first, second, { stableMs: 1000 });
  first.lose();
  first.come();
  await probes();
  clock.ms += 900;
  first.fail = new NoAnswerError('a hiccup');
  await probes();
  first.fail = undefined;
  clock.ms += 200;
  await probes();
  expect(chain.type).toBe('single');
  clock.ms += 900;
  await probes();
  expect(chain.type).toBe('single');
  clock.ms += 200;
  await probes();
  expect(chain.type).toBe('cluster');
});

it('does not flap: each return that does not last doubles the wait, up to a bound', async () => {
  const [first, second] = [fake('cluster'), fake('single')];
  const { chain, clock, moves } = chainOf(first, second, { stableMs: 1000, longestStableMs: 4000 });
  const waits: number[] = [];
  for (let round = 0; round < 5; round++) {
    first.lose();
    first.come();
    await probes();
    const leftAt = clock.ms;
    while (chain.type !== 'cluster') {
      clock.ms += 500;
      await probes();
    }
    waits.push(clock.ms - leftAt);
  }
  expect(waits).toEqual([1000, 2000, 4000, 4000, 4000]);
  expect(moves).toHaveLength(10);
  expect(chain.status().moves).toBe(10);
});

it('tells of nothing and probes nothing after it was closed', async () => {
  const [first, second] = [fake('cluster'), fake('single')];
  const { chain, moves } = chainOf(first, second);
  first.lose();
  await chain.close();
  first.come();
  await probes();
  expect(moves).toHaveLength(1);
  expect(first.events.listenerCount('ready') + first.events.listenerCount('unavailable')).toBe(0);
});
