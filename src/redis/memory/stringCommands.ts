/** GET, SET and the counters. */
import type { Command } from './command.ts';
import type { Entry, Keyspace } from './keyspace.ts';
import { integer, isInteger64, refusal } from './replies.ts';
import { endAfter, type TimeUnit } from './timeCommands.ts';

/** Adds or replaces. @throws the reply "OOM" when the entry alone is over the bound. */
export function put(keys: Keyspace, key: string, entry: Entry): void {
  if (!keys.set(key, entry)) throw refusal.tooBig();
}

/** The string at `key`. @throws the reply WRONGTYPE. */
function stringAt(keys: Keyspace, key: string): (Entry & { kind: 'string' }) | undefined {
  const entry = keys.get(key);
  if (entry !== undefined && entry.kind !== 'string') throw refusal.wrongType();
  return entry;
}

function add(keys: Keyspace, key: string, amount: bigint): number {
  const entry = stringAt(keys, key);
  const sum = integer(entry?.value ?? '0') + amount;
  if (!isInteger64(sum)) throw refusal.overflow();
  put(keys, key, { kind: 'string', value: sum.toString(), endsAt: entry?.endsAt });
  return Number(sum);
}

interface SetOptions {
  only?: 'nx' | 'xx';
  /** Given once at most: a time to live, or KEEPTTL. */
  ttl?: 'keep' | { readonly amount: string; readonly unit: TimeUnit };
  get: boolean;
}

function setOptions(words: readonly string[]): SetOptions {
  const options: SetOptions = { get: false };
  for (let index = 0; index < words.length; index++) {
    const word = words[index]?.toLowerCase();
    const next = words[index + 1];
    if ((word === 'nx' || word === 'xx') && (options.only ?? word) === word) options.only = word;
    else if (word === 'get') options.get = true;
    else if (word === 'keepttl' && (options.ttl ?? 'keep') === 'keep') options.ttl = 'keep';
    else if ((word === 'ex' || word === 'px') && next !== undefined && options.ttl === undefined) {
      options.ttl = { amount: next, unit: word === 'ex' ? 's' : 'ms' };
      index += 1;
    } else throw refusal.syntax();
  }
  return options;
}

const set: Command['run'] = (keys, [key = '', value = '', ...words]) => {
  const { only, ttl, get } = setOptions(words);
  const endsAt = typeof ttl === 'object' ? endAfter(keys, ttl.amount, ttl.unit, 'set') : undefined;
  const before = get ? stringAt(keys, key) : keys.get(key);
  const mayBe = only === undefined || (only === 'xx') === (before !== undefined);
  if (mayBe) put(keys, key, { kind: 'string', value, endsAt: ttl === 'keep' ? before?.endsAt : endsAt });
  if (get) return before?.kind === 'string' ? before.value : null;
  return mayBe ? 'OK' : null;
};

const mget: Command['run'] = (keys, names) =>
  names.map((key) => {
    const entry = keys.get(key);
    return entry?.kind === 'string' ? entry.value : null;
  });

const mset: Command['run'] = (keys, pairs) => {
  if (pairs.length % 2 !== 0) throw refusal.arity('mset');
  for (let index = 0; index < pairs.length; index += 2) {
    put(keys, pairs[index] ?? '', { kind: 'string', value: pairs[index + 1] ?? '', endsAt: undefined });
  }
  return 'OK';
};

/** By name, in lower case. */
export const stringCommands: Record<string, Command> = {
  get: { args: [1, 1], run: (keys, [key = '']) => stringAt(keys, key)?.value ?? null },
  set: { args: [2, Infinity], run: set },
  mget: { args: [1, Infinity], run: mget },
  mset: { args: [2, Infinity], run: mset },
  incr: { args: [1, 1], run: (keys, [key = '']) => add(keys, key, 1n) },
  incrby: { args: [2, 2], run: (keys, [key = '', amount = '']) => add(keys, key, integer(amount)) },
  decr: { args: [1, 1], run: (keys, [key = '']) => add(keys, key, -1n) },
};
