/** Runs the built service as a process of its own, as an operator would. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pino } from 'pino';
import { openEmbeddedRedisCluster } from '../../src/embedded/redisCluster.ts';
import { findRedisServer } from '../../src/embedded/redisServer.ts';

/** A line of the service's JSON log. */
export type LogLine = Record<string, unknown> & { level: number; msg: string };

/** A running service process. */
export interface TestService {
  readonly url: string;
  readonly pid: number;
  readonly logs: readonly LogLine[];
  /** Everything that it wrote, stdout and stderr. */
  output(): string;
  /** Sends a signal and waits for the end; the exit code, or null when the signal ended it. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
  /** Waits for a log line. */
  logged(msg: string, withinMs?: number): Promise<LogLine>;
}

const startDeadlineMs = 60_000;
const endDeadlineMs = 30_000;
const running = new Set<ChildProcess>();
const directories: string[] = [];

/** A fresh folder, removed by {@link endAllServices}. */
export async function freshDataDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  directories.push(dir);
  return dir;
}

/** Starts `node dist/src/main.js` with this environment on a free port and waits until it listens. */
export async function startTestService(env: Record<string, string>): Promise<TestService> {
  const service = spawnTestService({ DATA_DIR: env['DATA_DIR'] ?? (await freshDataDir()), ...env });
  const line = await service.logged('listening', startDeadlineMs);
  return { ...service, url: String(line['url']) };
}

/** Starts the process without waiting; its `url` is empty. */
export function spawnTestService(env: Record<string, string>): TestService {
  const child = spawn(process.execPath, ['dist/src/main.js'], {
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: process.env['HOME'] ?? '',
      PORT: '0',
      LOG_FORMAT: 'json',
      BCRYPT_COST: '4',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const logs: LogLine[] = [];
  const errors: string[] = [];
  const waiting = new Set<() => void>();
  const wake = () => waiting.forEach((check) => check());
  createInterface({ input: child.stdout }).on('line', (line) => {
    logs.push(JSON.parse(line) as LogLine);
    wake();
  });
  createInterface({ input: child.stderr }).on('line', (line) => errors.push(line));
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      running.delete(child);
      resolve(code);
      wake();
    });
  });
  const output = () => [...logs.map((line) => JSON.stringify(line)), ...errors].join('\n');

  return {
    url: '',
    pid: child.pid ?? -1,
    logs,
    output,
    async end(signal = 'SIGTERM') {
      child.kill(signal);
      let timer: NodeJS.Timeout | undefined;
      const tooLate = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(
          () => reject(new Error(`the service did not end after ${signal}:\n${output()}`)),
          endDeadlineMs,
        );
      });
      try {
        return await Promise.race([ended, tooLate]);
      } finally {
        clearTimeout(timer);
      }
    },
    logged(msg, withinMs = 10_000) {
      return new Promise((resolve, reject) => {
        const give = (why: string) => reject(new Error(`"${msg}" was not logged (${why}):\n${output()}`));
        const timer = setTimeout(() => settle(() => give(`${withinMs} ms passed`)), withinMs);
        const settle = (how: () => void) => {
          clearTimeout(timer);
          waiting.delete(check);
          how();
        };
        const check = () => {
          const line = logs.find((candidate) => candidate.msg === msg);
          if (line !== undefined) settle(() => resolve(line));
          else if (!running.has(child)) settle(() => give('the process has ended'));
        };
        waiting.add(check);
        check();
      });
    },
  };
}

/** For `afterAll`: kills what a failed test left behind, and removes its folders. */
export async function endAllServices(): Promise<void> {
  for (const child of running) child.kill('SIGKILL');
  for (const dir of directories) await stopEmbeddedNodes(dir);
  await Promise.all(directories.splice(0).map((dir) => rm(dir, { recursive: true, force: true })));
}

/** The Redis nodes of a service that was killed run on: only its next start would have stopped them. */
async function stopEmbeddedNodes(dataDir: string): Promise<void> {
  const binary = await findRedisServer();
  if ('missing' in binary) return;
  const left = await openEmbeddedRedisCluster({
    dir: join(dataDir, 'redis'),
    logger: pino({ level: 'silent' }),
    binary,
  });
  await left?.stopAll();
}
