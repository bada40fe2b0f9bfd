/** Hashes. */
import { fieldsOf } from '../serverReply.ts';
import type { Command } from './command.ts';
import type { Entry, Keyspace } from './keyspace.ts';
import { refusal } from './replies.ts';
import { put } from './stringCommands.ts';

/** The hash at `key`. @throws the reply WRONGTYPE. */
function hashAt(keys: Keyspace, key: string): (Entry & { kind: 'hash' }) | undefined {
  const entry = keys.get(key);
  if (entry !== undefined && entry.kind !== 'hash') throw refusal.wrongType();
  return entry;
}

// A changed hash is a new one: what does not fit leaves the old one as it was.
const hset: Command['run'] = (keys, [key = '', ...pairs]) => {
  if (pairs.length % 2 !== 0) throw refusal.arity('hset');
  const before = hashAt(keys, key);
  const fields = new Map(before?.fields);
  const sizeBefore = fields.size;
  for (let index = 0; index < pairs.length; index += 2) fields.set(pairs[index] ?? '', pairs[index + 1] ?? '');
  put(keys, key, { kind: 'hash', fields, endsAt: before?.endsAt });
  return fields.size - sizeBefore;
};

const hdel: Command['run'] = (keys, [key = '', ...names]) => {
  const before = hashAt(keys, key);
  if (before === undefined) return 0;
  const fields = new Map(before.fields);
  const deleted = names.filter((name) => fields.delete(name)).length;
  if (fields.size === 0) keys.delete(key);
  else put(keys, key, { ...before, fields });
  return deleted;
};

/** By name, in lower case. */
export const hashCommands: Record<string, Command> = {
  hset: { args: [3, Infinity], run: hset },
  hdel: { args: [2, Infinity], run: hdel },
  hget: { args: [2, 2], run: (keys, [key = '', field = '']) => hashAt(keys, key)?.fields.get(field) ?? null },
  hgetall: { args: [1, 1], run: (keys, [key = '']) => fieldsOf([...(hashAt(keys, key)?.fields ?? [])].flat()) },
};
