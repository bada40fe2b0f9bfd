import type { CounterStore } from '../../../src/rateLimit/counterStore.ts';
import { createLimiter } from '../../../src/rateLimit/limiter.ts';
import { createMemoryStore } from '../../../src/rateLimit/memoryStore.ts';
import { limitField, policyField, retryAfterSeconds } from '../../../src/rateLimit/responseFields.ts';
import { parseList, type Item } from 'structured-headers';

const policy = { name: 'default', points: 3, durationSeconds: 60 };

/** A store that fails on demand. */
function faultyStore(now: () => number) {
  const memory = createMemoryStore({ now }, policy);
  const state = { broken: false };
  const store: CounterStore = {
    consume: (key, points) => (state.broken ? Promise.reject(new Error('store is away')) : memory.consume(key, points)),
  };
  return { store, state };
}

function limiterWithClock() {
  const clock = { time: 0 };
  const now = () => clock.time;
  const { store, state } = faultyStore(now);
  const limiter = createLimiter({ store, insurance: createMemoryStore({ now }, policy), now }, policy);
  const seen: string[] = [];
  limiter.events.on('insured', (reason) => seen.push(`insured: ${reason.message}`));
  limiter.events.on('restored', () => seen.push('restored'));
  return { clock, state, limiter, seen };
}

describe('the limiter', () => {
  it('lets exactly the limit pass, and never reports less than nothing left', async () => {
    const { limiter } = limiterWithClock();
    const decisions = [];
    for (let i = 0; i < 6; i++) decisions.push(await limiter.consume('a'));
    expect(decisions.map(({ allowed }) => allowed)).toEqual([true, true, true, false, false, false]);
    expect(decisions.map(({ remaining }) => remaining)).toEqual([2, 1, 0, 0, 0, 0]);
  });

  it('never refuses because the store failed: the insurance counts', async () => {
    const { limiter, state } = limiterWithClock();
    state.broken = true;
    const decisions = [];
    for (let i = 0; i < 4; i++) decisions.push(await limiter.consume('a'));
    expect(decisions.map(({ allowed }) => allowed)).toEqual([true, true, true, false]);
    expect(decisions.every(({ countedBy }) => countedBy === 'insurance')).toBe(true);
  });

  it('hands back to the store at once, with the counts that it had', async () => {
    const { limiter, state } = limiterWithClock();
    await limiter.consume('a');
    state.broken = true;
    await limiter.consume('a');
    state.broken = false;
    expect(await limiter.consume('a')).toMatchObject({ remaining: 1, countedBy: 'store' });
  });

  it('tells of an outage once and of its end once, though other shards answer meanwhile', async () => {
    const { limiter, state, clock, seen } = limiterWithClock();
    for (let i = 0; i < 10; i++) {
      state.broken = i % 2 === 0;
      clock.time += 100;
      await limiter.consume(`k${i}`);
    }
    expect(limiter.insured).toBe(true);
    state.broken = false;
    clock.time += 1000;
    await limiter.consume('b');
    expect(seen).toEqual(['insured: store is away', 'restored']);
    expect(limiter.insured).toBe(false);
  });
});

/** The first member of a structured-fields list, read by a parser that is not ours. */
function read(field: string): Record<string, unknown> {
  const [name, parameters] = parseList(field)[0] as Item;
  return { name, ...Object.fromEntries(parameters) };
}

describe('the RateLimit fields', () => {
  const decision = { policy, allowed: false, remaining: 0, msBeforeNext: 40_001, countedBy: 'store' as const };

  it('are lists of strings with parameters, as the draft says', () => {
    expect(read(policyField(policy))).toEqual({ name: 'default', q: 3, w: 60 });
    expect(read(limitField(decision))).toEqual({ name: 'default', r: 0, t: 41 });
  });

  it('round the wait up, to 1 s at least', () => {
    expect(retryAfterSeconds(decision)).toBe(41);
    expect(retryAfterSeconds({ ...decision, msBeforeNext: 1 })).toBe(1);
    expect(retryAfterSeconds({ ...decision, msBeforeNext: 60_000 })).toBe(60);
  });
});
