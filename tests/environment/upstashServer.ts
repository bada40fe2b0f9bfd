/**
 * Upstash's REST protocol in front of a real redis-server: one command as a JSON array to `/`, several to `/pipeline`
 * and `/multi-exec`, a bearer token, strings in base64 when asked for, error replies as `{error}` with status 400.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { Redis } from 'ioredis';
import { startSingleRedis, type TestRedis } from './singleRedis.ts';

/**
 * How the next requests are treated. `silent`: carried out, never answered. `cut`: carried out, then the connection is
 * closed. `gateway`: a proxy's HTML page. `broken`: an error of the service, not of Redis.
 */
export type Treatment = 'normal' | 'silent' | 'cut' | 'gateway' | 'broken';

/** A running server. */
export interface UpstashServer {
  readonly url: string;
  readonly token: string;
  /** The commands that came in, oldest first. */
  readonly commands: readonly string[][];
  /** The headers of the last request. */
  readonly headers: IncomingMessage['headers'];
  treat(how: Treatment): void;
  /** Stops listening and drops all connections; the data stays. */
  readonly kill: () => Promise<void>;
  /** Listens again at the same port. */
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

type Reply = Buffer | number | null | Reply[];
type Answer = { result: unknown } | { error: string };

/** Starts both. */
export async function startUpstashServer(): Promise<UpstashServer> {
  const redis: TestRedis = await startSingleRedis();
  // RESP2 and no reply mapping: what a JSON array can say.
  const client = new Redis({ host: redis.host, port: redis.port, protocol: 2 });
  const token = `token-${Math.random().toString(36).slice(2)}`;
  const commands: string[][] = [];
  let headers: IncomingMessage['headers'] = {};
  let treatment: Treatment = 'normal';

  const run = async ([name = '', ...args]: string[], encode: (reply: Reply) => unknown): Promise<Answer> => {
    commands.push([name, ...args]);
    try {
      return { result: encode((await client.callBuffer(name.toUpperCase(), ...args)) as Reply) };
    } catch (error) {
      return { error: (error as Error).message };
    }
  };
  const answer = async (
    path: string,
    body: unknown,
    encode: (reply: Reply) => unknown,
  ): Promise<[status: number, body: unknown]> => {
    if (path === '/pipeline') {
      const answers: Answer[] = [];
      for (const command of body as string[][]) answers.push(await run(command, encode));
      return [200, answers];
    }
    if (path === '/multi-exec') {
      const transaction = client.multi();
      for (const [name = '', ...args] of body as string[][]) {
        commands.push([name, ...args]);
        transaction.callBuffer(name.toUpperCase(), ...args);
      }
      const replies = await transaction.exec().catch((error: Error) => error);
      if (replies instanceof Error || replies === null) return [400, { error: replies?.message ?? 'EXECABORT' }];
      return [
        200,
        replies.map(([error, reply]) => (error ? { error: error.message } : { result: encode(reply as Reply) })),
      ];
    }
    if (path !== '/') return [404, { error: 'ERR no such path' }];
    const single = await run((body as unknown[]).map(String), encode);
    return ['error' in single ? 400 : 200, single];
  };
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    ({ headers } = request);
    const send = (status: number, body: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (headers.authorization !== `Bearer ${token}`)
      return send(401, { error: 'WRONGPASS invalid or missing auth token' });
    if (treatment === 'gateway') return void response.writeHead(502).end('<html>502 Bad Gateway</html>');
    if (treatment === 'broken') return send(500, { error: 'Internal Server Error' });
    const body = JSON.parse(await text(request)) as unknown;
    const how = treatment;
    const [status, json] = await answer(
      request.url ?? '/',
      body,
      headers['upstash-encoding'] === 'base64' ? base64 : plain,
    );
    if (how === 'cut') request.socket.destroy();
    else if (how !== 'silent') send(status, json);
  };
  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  const listen = (port: number) =>
    new Promise<number>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
    });
  const kill = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  const port = await listen(0);

  return {
    url: `http://127.0.0.1:${port}`,
    token,
    commands,
    get headers() {
      return headers;
    },
    treat: (how) => void (treatment = how),
    kill,
    start: async () => void (await listen(port)),
    async stop() {
      await kill();
      client.disconnect();
      await redis.stop();
    },
  };
}

/** Upstash leaves the status OK as it is. */
function base64(reply: Reply): unknown {
  if (Array.isArray(reply)) return reply.map(base64);
  if (!Buffer.isBuffer(reply)) return reply;
  return reply.toString() === 'OK' ? 'OK' : reply.toString('base64');
}

function plain(reply: Reply): unknown {
  if (Array.isArray(reply)) return reply.map(plain);
  return Buffer.isBuffer(reply) ? reply.toString() : reply;
}
