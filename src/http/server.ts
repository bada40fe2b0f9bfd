/**
 * The node:http server under Express: bounded times for slow clients, and a close that loses no request in flight.
 *
 * Closing: no new connection is accepted; every answer from then on carries `Connection: close`; requests in flight
 * finish. Idle connections are kept a moment longer, since a request may already be on its way on them: `Server.close`
 * of node:http would end them at once and reset it. What is not done by the hard limit is cut.
 */
import { createServer, type RequestListener, type Server } from 'node:http';
import { Server as NetServer, type AddressInfo } from 'node:net';

/** A listening server. */
export interface HttpServer {
  /** Where it listens. */
  readonly address: AddressInfo;
  /** Resolves when all requests in flight are answered, or after `ms` milliseconds, when the rest are cut. */
  close(ms: number): Promise<void>;
}

/** Where to listen and how long a request may take. */
export interface HttpServerOptions {
  readonly host: string;
  readonly port: number;
  readonly requestTimeoutMs: number;
}

const headersTimeoutMs = 10_000;
/** Longer than the idle time of common load balancers (60 s), or they would send into a connection that just closed. */
const keepAliveTimeoutMs = 72_000;
/** While closing: how long an idle connection may still bring a request. */
const idleGraceMs = 500;

/**
 * Listens.
 * @throws an Error that names the address when it is in use or not ours.
 */
export async function startHttpServer(listener: RequestListener, options: HttpServerOptions): Promise<HttpServer> {
  let closing = false;
  const server = createServer(
    {
      headersTimeout: headersTimeoutMs,
      requestTimeout: options.requestTimeoutMs + headersTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
      connectionsCheckingInterval: 5000,
    },
    (request, response) => {
      if (closing) response.setHeader('Connection', 'close');
      listener(request, response);
    },
  );
  await listen(server, options);
  return {
    address: server.address() as AddressInfo,
    async close(ms) {
      closing = true;
      const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()));
      const sweep = setTimeout(() => endIdle(server), idleGraceMs);
      const limit = setTimeout(() => server.closeAllConnections(), ms);
      await closed;
      clearTimeout(sweep);
      clearTimeout(limit);
      // What node:http's own close does besides: without it a timer would keep the process alive.
      server.close();
    },
  };
}

/** Ends idle connections, and goes on ending those that become idle. */
function endIdle(server: Server): void {
  server.closeIdleConnections();
  const again = setInterval(() => server.closeIdleConnections(), 50);
  server.once('close', () => clearInterval(again));
}

function listen(server: Server, { host, port }: HttpServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const hint = error.code === 'EADDRINUSE' ? 'is in use; set PORT to another one' : error.message;
      reject(new Error(`${host}:${port} ${hint}`, { cause: error }));
    });
    server.listen(port, host, resolve);
  });
}
