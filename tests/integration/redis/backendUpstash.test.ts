/** What is particular about Upstash: its client's habits, and the outcomes that HTTP adds. */
import { NoAnswerError } from '../../../src/redis/answerDeadline.ts';
import { RedisUnavailableError, type RedisBackend } from '../../../src/redis/backend.ts';
import { createUpstashRedis } from '../../../src/redis/upstashRedis.ts';
import { waitUntilReady } from '../../../src/redis/waitUntilReady.ts';
import { startUpstashServer, type UpstashServer } from '../../environment/upstashServer.ts';

let server: UpstashServer;
let backend: RedisBackend;
beforeAll(async () => {
  server = await startUpstashServer();
});
afterAll(() => server.stop());
beforeEach(async () => {
  server.treat('normal');
  backend = createUpstashRedis({ url: server.url, token: server.token, commandTimeoutMs: 500 });
  expect(await waitUntilReady(backend, 10_000)).toBe(true);
});
afterEach(() => backend.close());

const received = (name: string) => server.commands.filter(([command]) => command === name).length;

it.each(['silent', 'cut', 'gateway', 'broken'] as const)(
  'never sends a command again when the server is %s',
  async (treatment) => {
    const before = received('incr');
    server.treat(treatment);
    await expect(backend.executeCommand('incr', 'counter')).rejects.toBeInstanceOf(NoAnswerError);
    // The last two never come to Redis.
    expect(received('incr') - before).toBe(treatment === 'silent' || treatment === 'cut' ? 1 : 0);
  },
);

it('knows that nothing was sent when no connection can be made', async () => {
  await server.kill();
  try {
    // The first finds out on the connection that was kept open; whether that one was sent cannot be known.
    await expect(backend.executeCommand('ping')).rejects.toThrow();
    await expect(backend.executeCommand('incr', 'counter')).rejects.toBeInstanceOf(RedisUnavailableError);
  } finally {
    await server.start();
  }
});

it('sends the text of a script once, and its hash from then on', async () => {
  const script = { name: 'echo', lua: `return ARGV[1] -- ${Math.random()}` };
  expect(await backend.runScript(script, ['key'], ['first'])).toBe('first');
  expect(await backend.runScript(script, ['key'], ['second'])).toBe('second');
  expect(server.commands.slice(-3).map(([name]) => name)).toEqual(['evalsha', 'eval', 'evalsha']);
  expect(backend.report().operations.retried).toBe(1);
});

it('tells Upstash nothing about this process, and errors nothing about the command', async () => {
  const error = await backend.executeCommand('set', 'key', 'a secret', 'nonsense').catch((reason: Error) => reason);
  expect((error as Error).message).toBe('ERR syntax error');
  expect(Object.keys(server.headers).filter((name) => name.includes('telemetry'))).toEqual([]);
});

it('never becomes ready with a wrong token, and says why', async () => {
  const stranger = createUpstashRedis({ url: server.url, token: 'wrong', commandTimeoutMs: 500 });
  try {
    const [reason] = await new Promise<Error[]>((resolve) =>
      stranger.events.once('unavailable', (...args) => resolve(args)),
    );
    expect(reason?.message).toMatch(/^WRONGPASS/);
    await expect(stranger.executeCommand('ping')).rejects.toThrow(/WRONGPASS/);
  } finally {
    await stranger.close();
  }
});

it('refuses bytes that are not text, and more commands at once than its bound', async () => {
  await expect(backend.executeCommand('set', 'key', Buffer.from([0xff, 0xfe]))).rejects.toThrow(/text only/);
  const narrow = createUpstashRedis({ url: server.url, token: server.token, maxInFlight: 2 });
  await waitUntilReady(narrow, 10_000);
  const outcomes = await Promise.allSettled([1, 2, 3, 4].map(() => narrow.executeCommand('ping')));
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected']);
  await narrow.close();
});

it('speaks a protocol whose pipelines and transactions are tested too', async () => {
  const post = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(server.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.token}`, ...headers },
      body: JSON.stringify(body),
    });
    return [response.status, await response.json()];
  };
  const commands = [
    ['SET', 'piped', 'ü'],
    ['GET', 'piped'],
    ['HGET', 'piped', 'f'],
    ['STRLEN', 'piped'],
  ];
  const wrongType = { error: expect.stringMatching(/^WRONGTYPE/) };
  const answers = [{ result: 'OK' }, { result: 'ü' }, wrongType, { result: 2 }];
  expect(await post('/pipeline', commands)).toEqual([200, answers]);
  expect(await post('/multi-exec', commands)).toEqual([200, answers]);
  expect(await post('/', ['GET', 'piped'], { 'upstash-encoding': 'base64' })).toEqual([200, { result: 'w7w=' }]);
  expect(await post('/', ['GET', 'piped'], { authorization: 'Bearer no' })).toEqual([
    401,
    { error: expect.stringMatching(/^WRONGPASS/) },
  ]);
});
