/** Puts a backend's prefix before the keys of a command, for backends whose client does not do it by itself. */
import { Command } from 'ioredis';
import type { CommandArgument } from './backend.ts';

/**
 * The arguments with `prefix` before each key; which ones are keys is ioredis's table of Redis's commands, so that all
 * backends agree. A command that the table does not know has no keys. Never throws.
 */
export function prefixKeys(prefix: string, name: string, args: readonly CommandArgument[]): CommandArgument[] {
  // Without arguments the table would make a key up.
  if (prefix === '' || args.length === 0) return [...args];
  try {
    return new Command(name, [...args], { keyPrefix: prefix }).args as CommandArgument[];
  } catch {
    // Too few arguments to find the keys in: the server says so better.
    return [...args];
  }
}
