/**
 * One plain connection to one node, for questions about the cluster itself. It never follows MOVED and never queues:
 * a node that is down, frozen or refuses the password is an error within `timeoutMs`, and the next call connects anew.
 */
import { Redis } from 'ioredis';
import type { NodeAddress } from '../../config/clusterNodes.ts';
import { within } from '../../deadline.ts';

/** How nodes are spoken to. */
export interface NodeAccess {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly tls?: boolean | undefined;
  /** Longest wait for one answer in ms, the connecting included; 1000 unless given. */
  readonly commandTimeoutMs?: number | undefined;
}

const defaultTimeoutMs = 1000;

/** `host:port`, with brackets around IPv6. */
export function formatAddress({ host, port }: NodeAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A connection that opens at its first call. */
export class NodeConnection {
  readonly address: NodeAddress;
  readonly #access: NodeAccess;
  readonly #timeoutMs: number;
  #link: Link | undefined;

  constructor(address: NodeAddress, access: NodeAccess) {
    this.address = address;
    this.#access = access;
    this.#timeoutMs = access.commandTimeoutMs ?? defaultTimeoutMs;
  }

  /**
   * Sends one command.
   * @throws {Error} the node's refusal, or why it could not be asked.
   */
  async call(command: string, ...args: (string | number)[]): Promise<unknown> {
    const deadline = AbortSignal.timeout(this.#timeoutMs);
    const link = (this.#link ??= openLink(this.address, this.#access, this.#timeoutMs));
    try {
      await within(deadline, link.ready);
      return await within(deadline, link.redis.call(command, ...args));
    } catch (error) {
      const timedOut = deadline.aborted || (error as Error).message === 'Command timed out';
      if (!timedOut && isReply(error)) throw error;
      // A half-dead connection must not be used again.
      if (this.#link === link) this.close();
      const cause = link.lastError ?? (error as Error);
      throw timedOut
        ? new Error(`no answer within ${this.#timeoutMs} ms`, { cause })
        : new Error(reasonOf(cause), { cause });
    }
  }

  /** Drops the connection; never throws. */
  close(): void {
    this.#link?.redis.disconnect();
    this.#link = undefined;
  }
}

/** One connection, until its first failure. */
interface Link {
  readonly redis: Redis;
  readonly ready: Promise<void>;
  /** What it failed with; the commands themselves are only told that it is closed. */
  lastError: Error | undefined;
}

function openLink(address: NodeAddress, access: NodeAccess, timeoutMs: number): Link {
  const redis = new Redis({
    host: address.host,
    port: address.port,
    ...(access.username === undefined ? {} : { username: access.username }),
    ...(access.password === undefined ? {} : { password: access.password }),
    ...(access.tls === true ? { tls: {} } : {}),
    lazyConnect: true,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    disableClientInfo: true,
    protocol: 2,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    // A frozen node never confirms the end of a connection.
    disconnectTimeout: 100,
    // Whoever asks decides whether to ask again.
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
  });
  const link: Link = { redis, ready: redis.connect(), lastError: undefined };
  redis.on('error', (error: Error) => (link.lastError = error));
  // Whoever waits for it sees it fail; nobody may be waiting any more when it does.
  link.ready.catch(() => undefined);
  return link;
}

function isReply(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError';
}

function reasonOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') return 'nothing listens there';
  if (code === 'ENOTFOUND') return 'the host name is not known';
  return error.message === '' ? (code ?? 'the connection failed') : error.message;
}
