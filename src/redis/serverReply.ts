/** What backends share about replies: Redis's errors as one class, and which of them mean that nothing can be served. */
import { ReplyError } from 'ioredis';

/** The server's own error reply, of the same class that ioredis throws; `message` begins with its code, e.g. `ERR`. */
export function replyError(message: string): Error {
  return new (ReplyError as new (message: string) => Error)(message);
}

/** Whether it is the server's own error reply: it answered, and did nothing. */
export function isReplyError(error: unknown): error is Error {
  return error instanceof (ReplyError as new () => Error);
}

/** Refusals that hold for every command, not for this one: the server is there, but of no use for now. */
const unusable =
  /^(CLUSTERDOWN|LOADING|MASTERDOWN|READONLY|MISCONF|NOREPLICAS|NOAUTH|WRONGPASS|OOM|BUSY|Unauthorized)\b|max number of clients|max (daily )?requests? limit/;

/** Whether an error reply says that the server cannot serve, whatever the command. */
export function isUnusableReply(error: unknown): boolean {
  return isReplyError(error) && unusable.test(error.message);
}

/** `[field, value, …]` as an object, as ioredis answers HGETALL. */
export function fieldsOf(flat: readonly unknown[]): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (let index = 0; index < flat.length; index += 2) {
    // Not an assignment: a field named __proto__ must stay a field.
    Object.defineProperty(fields, String(flat[index]), {
      value: flat[index + 1],
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return fields;
}
