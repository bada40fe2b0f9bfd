/** What a command of the memory backend is. */
import type { Keyspace } from './keyspace.ts';

/** One command of Redis on a keyspace. */
export interface Command {
  /** How many arguments it takes, at least and at most. */
  readonly args: readonly [least: number, most: number];
  /** @throws the error reply. */
  run(keys: Keyspace, args: readonly string[]): unknown;
}
