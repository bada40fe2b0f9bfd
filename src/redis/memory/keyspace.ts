/**
 * The keys of the memory backend, bounded twice: by number and by bytes (roughly: UTF-16 length and a fixed share for
 * each entry). Past a bound the least recently used key is forgotten. No timer: a key whose time is over is dropped
 * when it is next looked at, or falls out as the oldest.
 */
import { LRUCache } from 'lru-cache';

/** A key's value and when it ends, in ms of the keyspace's clock; `undefined`: never. */
export type Entry = (
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'hash'; readonly fields: ReadonlyMap<string, string> }
) & { readonly endsAt: number | undefined };

/** See the module's header. */
export interface Keyspace {
  /** Unix time in ms, as everywhere in `endsAt`. */
  now(): number;
  get(key: string): Entry | undefined;
  /** False when the entry alone is over the bound in bytes; then nothing has changed. */
  set(key: string, entry: Entry): boolean;
  delete(key: string): boolean;
  clear(): void;
  /** Keys whose time is not over; looks at each. */
  size(): number;
}

const bytesPerEntry = 64;

/** `now` is Unix time in ms. */
export function createKeyspace({
  now,
  maxKeys,
  maxBytes,
}: {
  now: () => number;
  maxKeys: number;
  maxBytes: number;
}): Keyspace {
  const entries = new LRUCache<string, Entry>({ max: maxKeys, maxSize: maxBytes });
  const isOver = ({ endsAt }: Entry) => endsAt !== undefined && endsAt <= now();
  return {
    now,
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined || !isOver(entry)) return entry;
      entries.delete(key);
      return undefined;
    },
    set(key, entry) {
      const size = key.length + sizeOf(entry);
      if (size > maxBytes) return false;
      entries.set(key, entry, { size });
      return true;
    },
    delete(key) {
      const entry = entries.peek(key);
      if (entry === undefined) return false;
      const wasThere = !isOver(entry);
      entries.delete(key);
      return wasThere;
    },
    clear: () => entries.clear(),
    size() {
      for (const [key, entry] of [...entries.entries()]) if (isOver(entry)) entries.delete(key);
      return entries.size;
    },
  };
}

function sizeOf(entry: Entry): number {
  if (entry.kind === 'string') return bytesPerEntry + entry.value.length;
  let size = bytesPerEntry;
  for (const [field, value] of entry.fields) size += bytesPerEntry + field.length + value.length;
  return size;
}
