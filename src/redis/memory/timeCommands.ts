/** How long keys live. */
import type { Command } from './command.ts';
import type { Keyspace } from './keyspace.ts';
import { integer, isInteger64, refusal } from './replies.ts';

/** Seconds or milliseconds. */
export type TimeUnit = 's' | 'ms';

/** The moment in ms that lies `amount` ahead; an amount below 1 is not allowed for SET, and for EXPIRE means "now". */
export function endAfter(keys: Keyspace, amount: string, unit: TimeUnit, command: string): number {
  const given = integer(amount);
  const ms = given * (unit === 's' ? 1000n : 1n);
  const end = ms + BigInt(Math.floor(keys.now()));
  if ((command === 'set' && given <= 0n) || !isInteger64(ms) || !isInteger64(end)) throw refusal.expireTime(command);
  return Number(end);
}

type Condition = 'nx' | 'xx' | 'gt' | 'lt';

function conditions(words: readonly string[]): Set<Condition> {
  const found = new Set<Condition>();
  for (const word of words) {
    const lower = word.toLowerCase();
    if (lower !== 'nx' && lower !== 'xx' && lower !== 'gt' && lower !== 'lt') throw refusal.unsupported(word);
    found.add(lower);
  }
  if (found.has('nx') && found.size > 1) throw refusal.nxWithOthers();
  if (found.has('gt') && found.has('lt')) throw refusal.gtWithLt();
  return found;
}

/** A key without an end counts as one that lives for ever. */
function allows(wanted: ReadonlySet<Condition>, before: number | undefined, after: number): boolean {
  if (wanted.has('nx') && before !== undefined) return false;
  if (wanted.has('xx') && before === undefined) return false;
  if (wanted.has('gt') && (before === undefined || after <= before)) return false;
  return !(wanted.has('lt') && before !== undefined && after >= before);
}

const expire = (name: string, unit: TimeUnit): Command => ({
  args: [2, Infinity],
  run(keys, [key = '', amount = '', ...words]) {
    const wanted = conditions(words);
    const endsAt = endAfter(keys, amount, unit, name);
    const entry = keys.get(key);
    if (entry === undefined || !allows(wanted, entry.endsAt, endsAt)) return 0;
    if (endsAt <= keys.now()) keys.delete(key);
    else keys.set(key, { ...entry, endsAt });
    return 1;
  },
});

const timeToLive = (inUnit: (ms: number) => number): Command => ({
  args: [1, 1],
  run(keys, [key = '']) {
    const entry = keys.get(key);
    if (entry === undefined) return -2;
    return entry.endsAt === undefined ? -1 : inUnit(Math.max(entry.endsAt - keys.now(), 0));
  },
});

/** By name, in lower case. */
export const timeCommands: Record<string, Command> = {
  expire: expire('expire', 's'),
  pexpire: expire('pexpire', 'ms'),
  // Redis rounds to the nearest second.
  ttl: timeToLive((ms) => Math.floor((ms + 500) / 1000)),
  pttl: timeToLive((ms) => Math.ceil(ms)),
  persist: {
    args: [1, 1],
    run(keys, [key = '']) {
      const entry = keys.get(key);
      if (entry?.endsAt === undefined) return 0;
      keys.set(key, { ...entry, endsAt: undefined });
      return 1;
    },
  },
};
