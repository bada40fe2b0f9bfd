import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { startOpenLoop } from '../../../scripts/chaos/openLoop.ts';
import { parseOptions } from '../../../scripts/chaos/options.ts';
import { startSwallowingProxy, type SwallowingProxy } from '../../../scripts/chaos/swallowingProxy.ts';
import { tollOf } from '../../../scripts/chaos/toll.ts';

/** A call every 10 ms from 0 to 10 s; `bad` says how long each took, and failed calls are negative. */
function outcomes(took: (at: number) => number) {
  const at = Array.from({ length: 1000 }, (_, index) => index * 10);
  return {
    at,
    ms: at.map((due) => Math.abs(took(due))),
    failure: at.map((due) => (took(due) < 0 ? 0 : -1)),
    errors: ['refused'],
  };
}

describe('the toll of a scenario', () => {
  it('counts failed and slow calls after the first disturbance, and the time to full service', () => {
    const toll = tollOf(
      outcomes((at) => (at < 1000 ? 500 : at < 3000 ? -1 : at < 3200 ? 300 : 2)),
      [2000],
      10_000,
    );
    // From 1500 on: what began before the disturbance and ended after it is its business too.
    expect(toll.failed).toBe(100);
    expect(toll.over100).toBe(20);
    expect(toll).toMatchObject({
      worst: 300,
      secondsToFullService: 1.5,
      commonest: { message: 'refused', count: 100 },
    });
  });

  it('takes the longest way of several disturbances', () => {
    const toll = tollOf(
      outcomes((at) => ((at >= 1000 && at < 1400) || (at >= 5000 && at < 6900) ? -1 : 2)),
      [1000, 5000],
      10_000,
    );
    expect(toll.secondsToFullService).toBe(2);
  });

  it('says that full service was not reached', () => {
    expect(
      tollOf(
        outcomes((at) => (at > 2000 ? 400 : 1)),
        [1000],
        10_000,
      ).secondsToFullService,
    ).toBe(Infinity);
  });

  it('is nothing when nothing happened', () => {
    expect(
      tollOf(
        outcomes(() => 1),
        [0],
        10_000,
      ),
    ).toEqual({
      calls: 1000,
      failed: 0,
      over100: 0,
      over150: 0,
      worst: 1,
      secondsToFullService: 0,
      commonest: undefined,
    });
  });
});

describe('calls at a steady rate', () => {
  it('go on while earlier ones hang, which are noted as failed after the timeout', async () => {
    let calls = 0;
    const hang = () => new Promise<void>((resolve) => void (++calls % 2 === 0 && resolve()));
    const loop = startOpenLoop(hang, { rate: 200, timeoutMs: 300 });
    await sleep(500);
    const { at, ms, failure, errors } = await loop.stop();
    expect(calls).toBeGreaterThan(50);
    expect(at).toHaveLength(calls);
    expect(failure.filter((kind) => kind === 0)).toHaveLength(Math.ceil(calls / 2));
    expect(Math.max(...ms)).toBeGreaterThanOrEqual(300);
    expect(errors).toEqual(['no answer within # ms']);
  });
});

describe('the proxy that swallows bytes', () => {
  let server: Server;
  let proxy: SwallowingProxy;
  let cut = false;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    cut = false;
    server = createServer((socket) => socket.on('error', () => undefined).pipe(socket)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    proxy = await startSwallowingProxy('127.0.0.1', (server.address() as AddressInfo).port, () => cut);
  });
  afterEach(async () => {
    sockets.splice(0).forEach((socket) => socket.destroy());
    await proxy.close();
    await new Promise((resolve) => server.close(resolve));
  });

  async function open(): Promise<Socket> {
    const socket = connect(proxy.port, '127.0.0.1').on('error', () => undefined);
    sockets.push(socket);
    await once(socket, 'connect');
    return socket;
  }

  it('passes bytes both ways until it is cut, then keeps connections open and silent', async () => {
    const socket = await open();
    socket.write('before');
    expect(String((await once(socket, 'data'))[0])).toBe('before');
    cut = true;
    let heard = 0;
    socket.on('data', () => (heard += 1));
    socket.write('lost');
    const late = await open();
    late.on('data', () => (heard += 1)).write('lost too');
    await sleep(100);
    expect(heard).toBe(0);
    expect(socket.destroyed).toBe(false);
    expect(late.destroyed).toBe(false);
  });

  it('ends the connections that lost bytes when the cut ends, and serves new ones', async () => {
    const socket = await open();
    cut = true;
    socket.write('lost');
    await sleep(100);
    cut = false;
    const closed = once(socket, 'close');
    proxy.endCut();
    await closed;
    const next = await open();
    next.write('after');
    expect(String((await once(next, 'data'))[0])).toBe('after');
  });
});

describe('the command line of the chaos run', () => {
  it('has defaults and names what is wrong', () => {
    expect(parseOptions([])).toMatchObject({ rate: 1000, write: true });
    expect(() => parseOptions(['--scenarios', 'kill-masters,flood'])).toThrow('"flood" is not one of');
    expect(() => parseOptions(['--rate', '0'])).toThrow('--rate must be');
  });
});
