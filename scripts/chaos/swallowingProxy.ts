/**
 * A TCP proxy before one port that can swallow bytes: what a cut cable looks like from outside. No connection breaks,
 * new ones are accepted, nothing comes through.
 */
import { connect, createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

/** A listening proxy. */
export interface SwallowingProxy {
  readonly port: number;
  /** Ends all connections that lost bytes, so that those after it are whole again. */
  endCut(): void;
  close(): Promise<void>;
}

/**
 * Listens on a free port of `host` and passes all bytes on to `targetPort`.
 * @param isCut asked for every chunk; `head` is the first chunk that the connection's opener sent, if any came yet
 */
export async function startSwallowingProxy(
  host: string,
  targetPort: number,
  isCut: (head: Buffer | undefined) => boolean,
): Promise<SwallowingProxy> {
  const open = new Set<Socket>();
  const holed = new Set<Socket>();
  const server = createServer((incoming) => {
    const outgoing = connect(targetPort, host);
    let head: Buffer | undefined;
    const join = (from: Socket, to: Socket): void => {
      open.add(from);
      from
        .on('data', (chunk: Buffer) => {
          if (from === incoming) head ??= chunk;
          if (isCut(head)) holed.add(from).add(to);
          else if (!holed.has(to) && !to.write(chunk)) from.pause();
        })
        .on('drain', () => to.resume())
        .on('error', () => undefined)
        .on('close', () => {
          open.delete(from);
          holed.delete(from);
          // A cut hides the end of a connection too; the other side learns of it when the cut ends.
          if (!isCut(head)) to.destroy();
        });
    };
    join(incoming, outgoing);
    join(outgoing, incoming);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    endCut: () => holed.forEach((socket) => socket.destroy()),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      open.forEach((socket) => socket.destroy());
      await closed;
    },
  };
}
