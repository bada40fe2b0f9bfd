/** A real single redis-server of a test's own, to kill, freeze and start again at the same port. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { NodeAddress } from '../../src/config/clusterNodes.ts';
import { freePortPair } from '../../src/embedded/redisPorts.ts';
import { ask, redisBinary } from './redisCluster.ts';

/** A running server; its data is gone with its process. */
export interface TestRedis extends NodeAddress {
  readonly url: string;
  readonly kill: () => Promise<void>;
  /** Starts it again where it was. */
  readonly start: () => Promise<void>;
  freeze(): void;
  thaw(): void;
  readonly stop: () => Promise<void>;
}

const startDeadlineMs = 10_000;

/** Starts a server on a free port of 127.0.0.1, with a password when one is given. */
export async function startSingleRedis({ password }: { password?: string } = {}): Promise<TestRedis> {
  const { command } = await redisBinary();
  const dir = await mkdtemp(join(tmpdir(), 'sluice-single-'));
  const host = '127.0.0.1';
  const port = await freePortPair(host, new Set(), Math.random);
  let child: ChildProcess | undefined;

  const answers = () =>
    ask({ host, port }, 'PING').then(
      () => true,
      (error: Error) => error.message.startsWith('NOAUTH'),
    );
  const start = async () => {
    const args = ['--bind', host, '--port', `${port}`, '--dir', dir, '--save', '', '--appendonly', 'no'];
    child = spawn(command, [...args, ...(password === undefined ? [] : ['--requirepass', password])], {
      stdio: 'ignore',
    });
    const giveUpAt = performance.now() + startDeadlineMs;
    while (!(await answers())) {
      if (performance.now() > giveUpAt || child.exitCode !== null) throw new Error('redis-server did not start');
      await pause(20);
    }
  };
  const kill = async () => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  await start();
  return {
    host,
    port,
    url: `redis://${password === undefined ? '' : `:${password}@`}${host}:${port}`,
    start,
    kill,
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    async stop() {
      await kill();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
