/**
 * Upstash as a backend: Redis over HTTPS, by `@upstash/redis`. Text only: its protocol is JSON.
 *
 * Invariants: a command is one request and never sent again, except a script whose hash the server does not know (the
 * client would re-send whatever failed, even with `retry: false`: only `retries: 0` stops it); every call ends within
 * `commandTimeoutMs`; calls in flight are bounded; nothing is told to Upstash about this process; error messages do
 * not hold the command's arguments (the client would put them there).
 *
 * When Upstash fails: a connection that cannot be made → {@link RedisUnavailableError}, as nothing was sent; a
 * connection lost, a gateway's error page, no answer in time → {@link NoAnswerError}, as it may have been done. After
 * three of these in a row commands are refused at once until a probe is answered: see reachability.ts. A wrong token
 * is the server's own error reply to the probe, so the backend never becomes ready, with that as the reason.
 */
import { isUtf8 } from 'node:buffer';
import { errors, Redis } from '@upstash/redis';
import { NoAnswerError } from './answerDeadline.ts';
import { RedisUnavailableError, type CommandArgument, type RedisBackend } from './backend.ts';
import { prefixKeys } from './keyPrefix.ts';
import { createOperationTally } from './operationTally.ts';
import { createReachability } from './reachability.ts';
import { sendScript } from './scriptHash.ts';
import { fieldsOf, isReplyError, replyError } from './serverReply.ts';

/** Where the database is and how it is spoken to. */
export interface UpstashRedisOptions {
  /** `https://….upstash.io` */
  readonly url: string;
  readonly token: string;
  readonly keyPrefix?: string;
  /** Longest wait for an answer, in ms (1000). */
  readonly commandTimeoutMs?: number;
  /** Requests that may wait for an answer at once (500). */
  readonly maxInFlight?: number;
}

/** What `fetch` gives as the cause when no connection was made, so that nothing was sent. */
const notConnected = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Redis's own refusals begin with a code; others (`Internal Server Error`) say nothing about whether it was done. */
const redisError = /^([A-Z]{3,} |Unauthorized)/;

/** Asks for a sign of life in the background; `events` tells when it is ready. */
export function createUpstashRedis(
  { url, token, keyPrefix = '', commandTimeoutMs = 1000, maxInFlight = 500 }: UpstashRedisOptions,
  { random = Math.random }: { random?: () => number } = {},
): RedisBackend & { readonly type: 'upstash' } {
  const tally = createOperationTally();
  const inFlight = new Set<AbortController>();
  let nextSignal = new AbortController().signal;
  const client = new Redis({
    url,
    token,
    retry: { retries: 0 },
    // The client asks for a request's signal while `exec` is being called, so this is always the caller's own.
    signal: () => nextSignal,
    automaticDeserialization: false,
    enableAutoPipelining: false,
    enableTelemetry: false,
    latencyLogging: false,
  });

  /** One request, under its deadline. */
  const request = async (command: readonly [string, ...string[]]): Promise<unknown> => {
    const controller = new AbortController();
    const timer = setTimeout(() => {
      controller.abort(new NoAnswerError(`no answer within ${commandTimeoutMs} ms`));
    }, commandTimeoutMs);
    inFlight.add(controller);
    try {
      nextSignal = controller.signal;
      return await client.exec([...command]);
    } catch (error) {
      throw controller.signal.aborted ? controller.signal.reason : outcomeOf(error as Error);
    } finally {
      clearTimeout(timer);
      inFlight.delete(controller);
    }
  };
  const reachability = createReachability({ probe: () => request(['PING']), random });

  const send = async (name: string, args: readonly CommandArgument[]): Promise<unknown> => {
    if (!reachability.isReady())
      throw new RedisUnavailableError(`not reachable: ${reachability.reason?.message ?? 'no answer yet'}`);
    if (inFlight.size >= maxInFlight)
      throw new RedisUnavailableError(`${maxInFlight} commands already wait for an answer`);
    const command = prefixKeys(keyPrefix, name, args).map(textOf);
    try {
      const reply = await request([name, ...command]);
      reachability.answered();
      return name.toLowerCase() === 'hgetall' ? fieldsOf(reply as unknown[]) : reply;
    } catch (error) {
      if (isReplyError(error)) reachability.answered();
      else reachability.missed(error as Error);
      throw error;
    }
  };

  return {
    type: 'upstash',
    distributed: true,
    events: reachability.events,
    isReady: reachability.isReady,
    executeCommand: <Reply>(name: string, ...args: CommandArgument[]) =>
      tally.measure(() => send(name, args) as Promise<Reply>),
    runScript: <Reply>(...[script, keys, args]: Parameters<RedisBackend['runScript']>) =>
      tally.measure(() => sendScript(send, script, [keys, args], tally.retried) as Promise<Reply>),
    report() {
      const { operations, ...rest } = tally.report();
      const ready = reachability.isReady();
      const active = inFlight.size;
      const node = {
        address: hostOf(url),
        role: 'unknown',
        healthy: ready,
        failureCount: operations.failed,
        connections: active,
      } as const;
      return {
        type: 'upstash',
        ready,
        ...rest,
        operations,
        connections: { total: active, active, idle: 0 },
        nodes: [node],
      };
    },
    close() {
      reachability.close();
      for (const controller of inFlight) controller.abort(new NoAnswerError('closed before the answer'));
      return Promise.resolve();
    },
  };
}

/** What the client threw, as what it means for the command. */
function outcomeOf(error: Error): Error {
  // First: it is an UpstashError too, and it quotes what the server sent, e.g. a gateway's error page.
  if (error instanceof errors.UpstashJSONParseError) return new NoAnswerError('the answer is not JSON');
  if (error instanceof errors.UpstashError) {
    const [message = ''] = error.message.split(', command was: ');
    return redisError.test(message) ? replyError(message) : new NoAnswerError(`Upstash failed: ${message}`);
  }
  const code = causes(error).find((candidate) => notConnected.has(candidate));
  if (code !== undefined) return new RedisUnavailableError(`no connection: ${code}`, { cause: error });
  return new NoAnswerError('the connection was lost before the answer', { cause: error });
}

/** The codes of all errors behind one; a host name with several addresses gives an AggregateError. */
function causes(error: unknown, depth = 0): string[] {
  if (typeof error !== 'object' || error === null || depth > 4) return [];
  const { code, cause, errors: several = [] } = error as { code?: string; cause?: unknown; errors?: unknown[] };
  return [...(code === undefined ? [] : [code]), ...[cause, ...several].flatMap((inner) => causes(inner, depth + 1))];
}

/** @throws {TypeError} for bytes that are not text. */
function textOf(argument: CommandArgument): string {
  if (!Buffer.isBuffer(argument)) return String(argument);
  if (!isUtf8(argument)) throw new TypeError('Upstash takes text only: encode bytes, e.g. as base64');
  return argument.toString('utf8');
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'unknown';
}
