/**
 * Counters in this process: the insurance while Redis is away, and the store where there is no Redis.
 *
 * Bounded: at most `maxKeys` windows are held; past that the least recently counted one is forgotten, which frees
 * that key's quota (a flood of fresh addresses can cost accuracy, never memory). No timers: a window that has ended
 * is replaced when its key comes again, or falls out as the oldest.
 */
import { LRUCache } from 'lru-cache';
import type { CounterStore, WindowCount } from './counterStore.ts';

interface Window {
  consumed: number;
  endsAt: number;
}

/** Whole ms: with fractions, adding a window's length and taking the time off again leaves 2000.0000000000036. */
const wholeMilliseconds = () => Math.floor(performance.now());

/** Counts in windows of `durationSeconds` seconds. `now` is in whole ms and must not go backwards. */
export function createMemoryStore(
  { now = wholeMilliseconds }: { now?: () => number },
  { durationSeconds, maxKeys = 100_000 }: { durationSeconds: number; maxKeys?: number },
): CounterStore & { readonly size: number } {
  const windows = new LRUCache<string, Window>({ max: maxKeys });
  return {
    get size() {
      return windows.size;
    },
    consume(key: string, points: number): Promise<WindowCount> {
      const time = now();
      let window = windows.get(key);
      if (window === undefined || window.endsAt <= time) {
        window = { consumed: 0, endsAt: time + durationSeconds * 1000 };
        windows.set(key, window);
      }
      window.consumed += points;
      return Promise.resolve({ consumedPoints: window.consumed, msBeforeNext: window.endsAt - time });
    },
  };
}
