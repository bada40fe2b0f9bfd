/** How a repository tells the database that a statement may be repeated. */
import type { QueryOptions } from './database.ts';

/** Options for a statement that changes nothing. */
export function reading(signal?: AbortSignal): QueryOptions {
  return { repeatable: 'read', ...(signal && { signal }) };
}

/** Options for a write that comes out the same when it is done twice. */
export function repeatableWrite(signal?: AbortSignal): QueryOptions {
  return { repeatable: 'write', ...(signal && { signal }) };
}
