/**
 * Lets many connections share PGlite's one session, over the PostgreSQL wire protocol (version 3.0).
 *
 * One connection at a time has the session: from the first message of a query until the answer is complete and no
 * transaction is open. The package's own server interleaves single messages instead: with ten connections and
 * transactions among them, queries got each other's rows, and then nothing moved any more.
 *
 * Invariants
 * - Between Parse and Sync, and between BEGIN and its end, no other connection's message reaches PGlite.
 * - A connection that goes away, or holds the session and sends nothing for `stallMs`, loses the session: ROLLBACK.
 * - Connections wait their turn in order. (A client that has a transaction and waits for a second connection would
 *   wait until a deadline: inside a transaction, use the transaction.)
 *
 * PGlite is one session, so SET without LOCAL and named statements are shared; it runs in this thread and has no
 * timers, so `statement_timeout` has no effect.
 */
import type { PGlite } from '@electric-sql/pglite';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import type { Logger } from '../observability/logger.ts';

/** A listening server. */
export interface WireServer {
  readonly port: number;
  /** Ends all connections, what they have open is rolled back, and stops listening. */
  close(): Promise<void>;
}

/** Codes in the place of the protocol's version: SSLRequest, GSSENCRequest, CancelRequest (protocol, section 54.7). */
const sslRequest = 80_877_103;
const gssRequest = 80_877_104;
const cancelRequest = 80_877_102;

const maxMessageBytes = 16 * 1024 * 1024;

const code = (letter: string): number => letter.charCodeAt(0);
/** After these two the server answers ReadyForQuery, and the client's turn may be over. */
const endsQuery = new Set([code('Q'), code('S')]);
const terminate = code('X');
const sync = Uint8Array.of(code('S'), 0, 0, 0, 4);
const rollback = Buffer.from('Q\0\0\0\rROLLBACK\0', 'latin1');

/** Serves `db`, which nobody else may use meanwhile, on 127.0.0.1 and a free port. */
export async function serveWireProtocol(
  deps: { db: PGlite; logger: Logger },
  options: { stallMs: number },
): Promise<WireServer> {
  const { db, logger } = deps;
  const sockets = new Set<Socket>();
  let lastTurn: Promise<void> = Promise.resolve();

  /** Waits for the session; the function returned passes it on. */
  async function takeTurn(): Promise<() => void> {
    const before = lastTurn;
    let pass: () => void = () => undefined;
    lastTurn = new Promise((resolve) => (pass = resolve));
    await before;
    return pass;
  }

  const execute = (message: Uint8Array, answer: (bytes: Uint8Array) => void) =>
    // PGlite reuses its buffer, so what it hands out is copied.
    db.execProtocolRawStream(message, { onRawData: (bytes) => answer(Uint8Array.from(bytes)) });

  async function serve(socket: Socket): Promise<void> {
    let endTurn: (() => void) | undefined;
    let dirty = false;
    const write = (bytes: Uint8Array) => void (socket.writable && socket.write(bytes));
    try {
      for await (const message of messagesOf(socket, (reply) => write(reply))) {
        if (message[0] === terminate) break;
        if (endTurn === undefined) {
          endTurn = await takeTurn();
          socket.setTimeout(options.stallMs);
          // It went away while it waited: nothing of it may run any more.
          if (socket.destroyed) break;
        }
        dirty = true;
        await execute(message, write);
        if ((endsQuery.has(message[0] ?? 0) || isStartup(message)) && !db.isInTransaction()) {
          dirty = false;
          socket.setTimeout(0);
          endTurn();
          endTurn = undefined;
        }
      }
    } catch (error) {
      if (!socket.destroyed)
        logger.debug({ reason: (error as Error).message }, 'a connection to the embedded Postgres failed');
    } finally {
      socket.destroy();
      if (dirty) await cleanUp();
      endTurn?.();
    }
  }

  /** Ends a half-sent query and an open transaction. */
  async function cleanUp(): Promise<void> {
    try {
      await execute(sync, () => undefined);
      if (db.isInTransaction()) await execute(rollback, () => undefined);
    } catch (error) {
      logger.error({ reason: (error as Error).message }, 'the embedded Postgres could not roll back');
    }
  }

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('timeout', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
    void serve(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });

  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
      // What runs, ends, and open transactions are rolled back, before the database may be closed.
      const pass = await takeTurn();
      pass();
    },
  };
}

function isStartup(message: Uint8Array): boolean {
  return message[0] === 0;
}

/**
 * Cuts the stream into whole messages. Requests for encryption are declined by `reply`; a CancelRequest ends the
 * stream: with one session in one thread there is never anything running that could be cancelled.
 */
async function* messagesOf(socket: Socket, reply: (bytes: Uint8Array) => void): AsyncGenerator<Uint8Array> {
  let buffer: Buffer = Buffer.alloc(0);
  let started = false;
  for await (const chunk of socket) {
    buffer = buffer.length === 0 ? (chunk as Buffer) : Buffer.concat([buffer, chunk as Buffer]);
    for (;;) {
      // Before the startup message there is no type byte.
      const lengthAt = started ? 1 : 0;
      if (buffer.length < lengthAt + 4) break;
      const end = lengthAt + buffer.readUInt32BE(lengthAt);
      if (end < lengthAt + 4 || end > maxMessageBytes) throw new Error('not the PostgreSQL protocol');
      if (buffer.length < end) break;
      const message = buffer.subarray(0, end);
      buffer = buffer.subarray(end);
      const request = started || end < 8 ? undefined : message.readUInt32BE(4);
      if (request === sslRequest || request === gssRequest) reply(Buffer.from('N'));
      else if (request === cancelRequest) return;
      else {
        started = true;
        yield message;
      }
    }
  }
}
