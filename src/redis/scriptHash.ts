/** By what a server knows a script. */
import { createHash } from 'node:crypto';
import type { CommandArgument, Script } from './backend.ts';
import { isReplyError } from './serverReply.ts';

const hashes = new WeakMap<Script, string>();

/** The SHA-1 of its text in hex, worked out once for each script. */
export function scriptHash(script: Script): string {
  let hash = hashes.get(script);
  if (hash === undefined) {
    hash = createHash('sha1').update(script.lua).digest('hex');
    hashes.set(script, hash);
  }
  return hash;
}

/**
 * Runs a script through `send`: by its hash, and with its text only when the server answers NOSCRIPT; then it has done
 * nothing, so this is the one command that is safe to send again. `onRetry` is told of it.
 */
export async function sendScript(
  send: (name: 'evalsha' | 'eval', args: readonly CommandArgument[]) => Promise<unknown>,
  script: Script,
  [keys, args]: readonly [keys: readonly string[], args: readonly CommandArgument[]],
  onRetry: () => void,
): Promise<unknown> {
  try {
    return await send('evalsha', [scriptHash(script), keys.length, ...keys, ...args]);
  } catch (error) {
    if (!isReplyError(error) || !error.message.startsWith('NOSCRIPT')) throw error;
    onRetry();
    return send('eval', [script.lua, keys.length, ...keys, ...args]);
  }
}
