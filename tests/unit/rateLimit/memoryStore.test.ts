import { createMemoryStore } from '../../../src/rateLimit/memoryStore.ts';

describe('the memory store', () => {
  it('begins a new window when the old one has ended, not before', async () => {
    let time = 0;
    const store = createMemoryStore({ now: () => time }, { durationSeconds: 60 });
    await store.consume('a', 1);
    time = 59_999;
    expect(await store.consume('a', 1)).toEqual({ consumedPoints: 2, msBeforeNext: 1 });
    time = 60_000;
    expect(await store.consume('a', 1)).toEqual({ consumedPoints: 1, msBeforeNext: 60_000 });
  });

  it('holds no more than its bound under a flood of fresh addresses', async () => {
    const store = createMemoryStore({}, { durationSeconds: 60, maxKeys: 1000 });
    for (let i = 0; i < 50_000; i++) await store.consume(`10.${i}`, 1);
    expect(store.size).toBe(1000);
  });

  it('keeps counting a client that stays active during such a flood', async () => {
    const store = createMemoryStore({}, { durationSeconds: 60, maxKeys: 1000 });
    let last = 0;
    for (let i = 0; i < 5000; i++) {
      await store.consume(`10.${i}`, 1);
      if (i % 100 === 0) last = (await store.consume('attacker', 1)).consumedPoints;
    }
    expect(last).toBe(50);
  });
});
