/** What is particular about a single Redis: passwords, databases, and that nothing is sent twice. */
import { createSingleRedis } from '../../../src/redis/singleRedis.ts';
import { NoAnswerError } from '../../../src/redis/answerDeadline.ts';
import { waitUntilReady } from '../../../src/redis/waitUntilReady.ts';
import { ask } from '../../environment/redisCluster.ts';
import { startSingleRedis, type TestRedis } from '../../environment/singleRedis.ts';
import { startTcpProxy } from '../postgres/tcpProxy.ts';

let open: TestRedis;
let locked: TestRedis;
beforeAll(async () => {
  [open, locked] = await Promise.all([startSingleRedis(), startSingleRedis({ password: 'p@ss:word' })]);
});
afterAll(() => Promise.all([open.stop(), locked.stop()]));

it('gets in with a password, given by parts or percent-encoded in the URL', async () => {
  const { host, port } = locked;
  const ways = [{ host, port, password: 'p@ss:word' }, { url: `redis://:p%40ss%3Aword@${host}:${port}/0` }];
  for (const way of ways) {
    const backend = createSingleRedis(way);
    expect(await waitUntilReady(backend, 5000)).toBe(true);
    await backend.close();
  }
});

it('is not ready without the password, says why, and sends nothing', async () => {
  const backend = createSingleRedis({ host: locked.host, port: locked.port });
  expect(await waitUntilReady(backend, 500)).toBe(false);
  await expect(backend.executeCommand('get', 'key')).rejects.toThrow(/^not connected: NOAUTH/);
  await backend.close();
});

it('stays in its database, after it was connected anew too', async () => {
  const backend = createSingleRedis({ url: `${open.url}/3`, keyPrefix: 'p:' });
  await waitUntilReady(backend, 5000);
  const lost = new Promise((resolve) => backend.events.once('unavailable', resolve));
  await ask(open, 'CLIENT', 'KILL', 'TYPE', 'normal');
  await lost;
  expect(await waitUntilReady(backend, 5000)).toBe(true);
  await backend.executeCommand('set', 'key', '1');
  expect(await ask(open, 'EXISTS', 'p:key')).toBe(0);
  expect(String(await ask(open, 'INFO', 'keyspace'))).toContain('db3:keys=1');
  await backend.close();
});

it('does not send a command again whose answer was lost with the connection', async () => {
  const proxy = await startTcpProxy(open.url.replace('redis:', 'http:'));
  const backend = createSingleRedis({ url: proxy.url.replace('http:', 'redis:') });
  expect(await waitUntilReady(backend, 5000)).toBe(true);
  proxy.loseAnswerTo('lost-counter');
  await expect(backend.executeCommand('incr', 'lost-counter')).rejects.toBeInstanceOf(NoAnswerError);
  expect(await waitUntilReady(backend, 5000)).toBe(true);
  expect(await backend.executeCommand('get', 'lost-counter')).toBe('1');
  await backend.close();
  await proxy.close();
});

it('leaves no connection behind when it is closed', async () => {
  const backend = createSingleRedis({ url: open.url });
  await waitUntilReady(backend, 5000);
  await backend.close();
  const giveUpAt = performance.now() + 5000;
  // `ask` is the one that remains.
  while (
    String(await ask(open, 'CLIENT', 'LIST'))
      .trim()
      .split('\n').length > 1
  ) {
    if (performance.now() > giveUpAt) throw new Error('a connection is left');
  }
});
