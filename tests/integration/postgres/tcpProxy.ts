/** A TCP proxy that loses answers on demand. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** Stands between the pool and Postgres. */
export interface TcpProxy {
  /** The given URL, through the proxy. */
  readonly url: string;
  /** The next message to Postgres that holds `text` is delivered and executed; its answer is lost with the connection. */
  loseAnswerTo(text: string): void;
  /** While frozen nothing passes, in either direction, and nothing is closed. */
  freeze(): void;
  thaw(): void;
  close(): Promise<void>;
}

export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let losing: string | undefined;
  let frozen = false;

  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    let lossy = false;
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      if (frozen) from.pause();
      from.on('error', () => undefined);
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
    client.on('data', (data) => {
      if (losing !== undefined && data.includes(losing)) {
        losing = undefined;
        lossy = true;
      }
      upstream.write(data);
    });
    upstream.on('data', (data) => {
      // The answer is here, so Postgres has done it.
      if (lossy) client.resetAndDestroy();
      else client.write(data);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const through = new URL(target);
  through.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    url: through.href,
    loseAnswerTo: (text) => (losing = text),
    freeze: () => {
      frozen = true;
      for (const socket of sockets) socket.pause();
    },
    thaw: () => {
      frozen = false;
      for (const socket of sockets) socket.resume();
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
