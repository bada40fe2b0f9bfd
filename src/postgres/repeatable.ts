/** How a repository tells the database that a statement may be repeated. */
import type { QueryOptions } from './database.ts';

/** Options for work that comes out the same when it is done twice, so that it may be retried with its outcome unknown. */
export function repeatable(signal?: AbortSignal): QueryOptions {
  return signal === undefined ? { idempotent: true } : { idempotent: true, signal };
}
