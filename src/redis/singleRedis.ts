/**
 * A single Redis server as a backend, over one ioredis connection.
 *
 * Invariants: a command is written once and never re-sent, except a script whose hash the server does not know;
 * nothing is queued while the connection is away; every call ends within `commandTimeoutMs` (a little later only when
 * this process is starved: see answerDeadline.ts); calls in flight are bounded.
 *
 * When the server fails: dead → commands in flight get {@link NoAnswerError} as the connection closes, later ones
 * {@link RedisUnavailableError} at once. Frozen → each command gives up after its deadline, and a connection that stays
 * silent for `commandTimeoutMs` is closed, after which it is as dead. Reconnecting goes on for ever, with jitter, at
 * most every 3 s. Password refused → not ready, with that as the reason.
 */
import { EventEmitter } from 'node:events';
import { Redis } from 'ioredis';
import { parseRedisUrl, type SingleRedisAddress } from '../config/redisUrl.ts';
import { createAnswerDeadline, NoAnswerError } from './answerDeadline.ts';
import { RedisUnavailableError, type BackendEvents, type CommandArgument, type RedisBackend } from './backend.ts';
import { createOperationTally } from './operationTally.ts';
import { sendScript } from './scriptHash.ts';
import { quitPatiently } from './quitPatiently.ts';
import { isReplyError } from './serverReply.ts';

/** Where the server is, by `url` or by parts (127.0.0.1:6379, database 0), and how it is spoken to. */
export interface SingleRedisOptions extends Partial<SingleRedisAddress> {
  /** `redis://user:password@host:port/db`, `rediss://` for TLS. Parts given beside it win. */
  readonly url?: string | undefined;
  readonly keyPrefix?: string;
  /** Longest wait for an answer, in ms (500). */
  readonly commandTimeoutMs?: number;
  /** Commands that may wait for an answer at once (10,000). */
  readonly maxInFlight?: number;
}

/** A backend whose ioredis client can be used by libraries that want one. */
export interface SingleRedis extends RedisBackend {
  readonly type: 'single';
  /** Has the key prefix, but neither deadline nor bound: those are the caller's then. */
  readonly client: Redis;
}

const connectTimeoutMs = 1000;
const longestPauseMs = 2000;

/**
 * Connects in the background; `events` tells when it is ready.
 * @throws {Error} when the URL is not one.
 */
export function createSingleRedis(
  options: SingleRedisOptions,
  { random = Math.random }: { random?: () => number } = {},
): SingleRedis {
  const { keyPrefix = '', commandTimeoutMs = 500, maxInFlight = 10_000 } = options;
  const address = addressOf(options);
  const events = new EventEmitter<BackendEvents>();
  const tally = createOperationTally();
  const deadline = createAnswerDeadline(() => undefined, { deadlineMs: commandTimeoutMs });
  const client = new Redis({
    ...connectionOptions(address),
    keyPrefix,
    socketTimeout: commandTimeoutMs,
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 10), longestPauseMs) * (0.5 + random()),
  });
  let lastError: Error | undefined;
  let up: boolean | undefined;
  let closed = false;

  client.on('error', (error: Error) => (lastError = error));
  client.on('ready', () => {
    up = true;
    lastError = undefined;
    events.emit('ready');
  });
  client.on('close', () => {
    // ioredis says this at every failed attempt: only the change is news.
    if (up !== false && !closed) events.emit('unavailable', lastError ?? new Error('the connection was closed'));
    up = false;
  });

  const isReady = () => !closed && client.status === 'ready';
  const send = async (name: string, args: readonly CommandArgument[]): Promise<unknown> => {
    // Also while connecting: ioredis would let some commands through then, e.g. to a server that is still loading.
    if (!isReady()) throw new RedisUnavailableError(`not connected: ${lastError?.message ?? client.status}`);
    if (deadline.waiting >= maxInFlight)
      throw new RedisUnavailableError(`${maxInFlight} commands already wait for an answer`);
    const writable = client.stream?.writable === true;
    try {
      return await deadline.watch(client.call(name.toLowerCase(), [...args]));
    } catch (error) {
      if (error instanceof NoAnswerError || isReplyError(error)) throw error;
      if (!writable) throw new RedisUnavailableError('the connection is closing', { cause: error });
      throw new NoAnswerError(`the connection was lost before the answer: ${(error as Error).message}`, {
        cause: error,
      });
    }
  };

  return {
    type: 'single',
    distributed: true,
    events,
    client,
    isReady,
    executeCommand: <Reply>(name: string, ...args: CommandArgument[]) =>
      tally.measure(() => send(name, args) as Promise<Reply>),
    runScript: <Reply>(...[script, keys, args]: Parameters<RedisBackend['runScript']>) =>
      tally.measure(() => sendScript(send, script, [keys, args], tally.retried) as Promise<Reply>),
    report() {
      const { operations, ...rest } = tally.report();
      const ready = isReady();
      const active = ready && deadline.waiting > 0 ? 1 : 0;
      const total = ready ? 1 : 0;
      const where = `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
      const node = {
        address: where,
        role: 'unknown',
        healthy: ready,
        failureCount: operations.failed,
        connections: total,
      } as const;
      return {
        type: 'single',
        ready,
        ...rest,
        operations,
        connections: { total, active, idle: total - active },
        nodes: [node],
      };
    },
    async close() {
      closed = true;
      if (client.status === 'ready') await quitPatiently(client);
      else client.disconnect();
    },
  };
}

function addressOf({ url, host, port, db, username, password, tls }: SingleRedisOptions): SingleRedisAddress {
  const named = url === undefined ? undefined : parseRedisUrl(url);
  return {
    host: host ?? named?.host ?? '127.0.0.1',
    port: port ?? named?.port ?? 6379,
    db: db ?? named?.db ?? 0,
    username: username ?? named?.username,
    password: password ?? named?.password,
    tls: tls ?? named?.tls ?? false,
  };
}

function connectionOptions({ host, port, db, username, password, tls }: SingleRedisAddress) {
  return {
    host,
    port,
    db,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls: {} }),
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // A command belongs to one connection: with its end it ends.
    maxRetriesPerRequest: 0,
    connectTimeout: connectTimeoutMs,
    connectionName: 'sluice',
  };
}
