/** The script that counts a point, for backends with Lua and for memory, which has none. */
import { readFileSync } from 'node:fs';
import type { Script } from '../redis/backend.ts';
import type { NativeScript } from '../redis/memoryRedis.ts';

const name = 'count-window';

/** The Lua script, read from its file. Keys: the counter. Arguments: points, window in ms. Reply: `[points, ms left]`. */
export function countWindowScript(): Script {
  return { name, lua: readFileSync(new URL('./countWindow.lua', import.meta.url), 'utf8') };
}

/** The same for `createMemoryRedis({ scripts })`: step by step what the Lua does. */
export const countWindowTwin: Readonly<Record<string, NativeScript>> = {
  [name](call, [key = ''], [points = '', windowMs = '']) {
    const consumed = call('incrby', key, points);
    const left = call('pttl', key) as number;
    if (left >= 0) return [consumed, left];
    call('pexpire', key, windowMs);
    return [consumed, Number(windowMs)];
  },
};
