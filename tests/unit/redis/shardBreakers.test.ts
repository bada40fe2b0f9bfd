import { setTimeout as sleep } from 'node:timers/promises';
import { ShardBreakers, type BreakerState } from '../../../src/redis/shardBreakers.ts';

const lost = new Error('no answer');

function setUp(options: Partial<{ threshold: number; resetMs: number }> = {}) {
  const probes: { address: string; answer: () => void; fail: (error: Error) => void }[] = [];
  const probe = (address: string) =>
    new Promise<void>((resolve, reject) => void probes.push({ address, answer: () => resolve(), fail: reject }));
  const breakers = new ShardBreakers({ probe }, { threshold: 3, resetMs: 20, ...options });
  const states: [string, BreakerState, string | undefined][] = [];
  breakers.events.on('state', (address, state, reason) => states.push([address, state, reason?.message]));
  return { breakers, probes, states };
}

async function trip({ breakers }: { breakers: ShardBreakers }, address = 'a:1', failures = 3): Promise<void> {
  for (let i = 0; i < failures; i++) breakers.of(address).failed(lost);
  await sleep(1);
}

/** Waits until `probes` holds `count` probes; fails after 2 s. */
async function probed(probes: unknown[], count: number): Promise<void> {
  const giveUpAt = performance.now() + 2000;
  while (probes.length < count && performance.now() < giveUpAt) await sleep(2);
  expect(probes).toHaveLength(count);
}

describe('a shard breaker', () => {
  it('opens on the threshold of failures in a row, and says why', async () => {
    const all = setUp();
    await trip(all, 'a:1', 2);
    expect(all.breakers.of('a:1').isClosed).toBe(true);
    await trip(all, 'a:1', 1);
    expect(all.breakers.of('a:1').state).toBe('open');
    expect(all.states).toEqual([['a:1', 'open', 'no answer']]);
    all.breakers.close();
  });

  it('counts failures in a row only', async () => {
    const all = setUp();
    for (let i = 0; i < 5; i++) {
      await trip(all, 'a:1', 2);
      all.breakers.of('a:1').succeeded();
    }
    expect(all.breakers.of('a:1').isClosed).toBe(true);
    all.breakers.close();
  });

  it('leaves the other shards alone', async () => {
    const all = setUp();
    await trip(all);
    expect(all.breakers.of('b:1').isClosed).toBe(true);
    expect(all.breakers.notClosed()).toEqual(['a:1']);
    all.breakers.close();
  });

  it('half-opens with one probe, and closes when that is answered', async () => {
    const all = setUp();
    await trip(all);
    await probed(all.probes, 1);
    expect(all.breakers.of('a:1').state).toBe('half-open');
    await sleep(100);
    expect(all.probes).toHaveLength(1);
    all.probes[0]?.answer();
    await sleep(5);
    expect(all.breakers.of('a:1').isClosed).toBe(true);
    expect(all.states.map(([, state]) => state)).toEqual(['open', 'half-open', 'closed']);
    all.breakers.close();
  });

  it('opens again when the probe fails, and probes again later', async () => {
    const all = setUp();
    await trip(all);
    await probed(all.probes, 1);
    all.probes[0]?.fail(lost);
    await probed(all.probes, 2);
    all.probes[1]?.answer();
    await sleep(5);
    expect(all.states.map(([, state]) => state)).toEqual(['open', 'half-open', 'open', 'half-open', 'closed']);
    all.breakers.close();
  });

  it('closes by hand, and an old probe cannot open it again', async () => {
    const all = setUp();
    await trip(all);
    await probed(all.probes, 1);
    all.breakers.reset();
    expect(all.breakers.of('a:1').isClosed).toBe(true);
    all.probes[0]?.fail(lost);
    await sleep(60);
    expect(all.breakers.of('a:1').isClosed).toBe(true);
    expect(all.probes).toHaveLength(1);
    all.breakers.close();
  });

  it('goes with its node, and its probes with it', async () => {
    const all = setUp();
    await trip(all);
    all.breakers.retain(new Set(['b:1']));
    expect(all.breakers.stateOf('a:1')).toBeUndefined();
    await sleep(60);
    expect(all.probes).toEqual([]);
    expect(all.breakers.of('a:1').isClosed).toBe(true);
    all.breakers.close();
  });
});
