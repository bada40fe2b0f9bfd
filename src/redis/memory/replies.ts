/** Redis's error replies and its reading of integers, shared by the memory backend's commands. */
import { replyError } from '../serverReply.ts';

/** The error replies that commands give, word for word. */
export const refusal = {
  wrongType: (): Error => replyError('WRONGTYPE Operation against a key holding the wrong kind of value'),
  notAnInteger: (): Error => replyError('ERR value is not an integer or out of range'),
  overflow: (): Error => replyError('ERR increment or decrement would overflow'),
  syntax: (): Error => replyError('ERR syntax error'),
  arity: (name: string): Error => replyError(`ERR wrong number of arguments for '${name}' command`),
  expireTime: (name: string): Error => replyError(`ERR invalid expire time in '${name}' command`),
  unsupported: (word: string): Error => replyError(`ERR Unsupported option ${word}`),
  nxWithOthers: (): Error => replyError('ERR NX and XX, GT or LT options at the same time are not compatible'),
  gtWithLt: (): Error => replyError('ERR GT and LT options at the same time are not compatible'),
  tooBig: (): Error => replyError("OOM command not allowed when used memory > 'maxmemory'."),
  unknown(name: string, args: readonly string[]): Error {
    let shown = '';
    for (const arg of args) if (shown.length < 128) shown += `'${arg.slice(0, 128 - shown.length)}' `;
    return replyError(`ERR unknown command '${name.slice(0, 128)}', with args beginning with: ${shown}`);
  },
};

const smallest = -(2n ** 63n);
const largest = 2n ** 63n - 1n;

/** Whether it fits into Redis's 64-bit integers. */
export function isInteger64(value: bigint): boolean {
  return value >= smallest && value <= largest;
}

/**
 * Reads an integer as strictly as Redis: no spaces, no plus, no leading zeros.
 * @throws the reply "not an integer or out of range".
 */
export function integer(text: string): bigint {
  if (!/^(0|-?[1-9]\d{0,18})$/.test(text)) throw refusal.notAnInteger();
  const value = BigInt(text);
  if (!isInteger64(value)) throw refusal.notAnInteger();
  return value;
}
