/**
 * Finds the Redis or Valkey server that is installed, and starts one cluster node of it on loopback.
 *
 * Invariants: a node is a process group of its own, so that a Ctrl-C in the terminal reaches the service only, which
 * needs its Redis while it drains; it listens on loopback only; its password, if any, stands in a file that only its
 * owner can read, never in its arguments. A node that ends before it answers is an error with its last words.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { chmod, mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { NodeAddress } from '../config/clusterNodes.ts';
import { pause } from '../deadline.ts';
import { identify, type ProcessIdentity } from './processIdentity.ts';

/** An installed server. */
export interface RedisBinary {
  /** A command on PATH, or a path. */
  readonly command: string;
  readonly product: 'redis' | 'valkey';
  readonly version: string;
}

/** Counting keys of many slots in one script call needs 7.0, as do the commands that form the cluster. */
const oldestMajor = 7;

/** The first usable server among the candidates, or why there is none, in one sentence. Never throws. */
export async function findRedisServer(
  candidates: readonly string[] = ['redis-server', 'valkey-server'],
): Promise<RedisBinary | { readonly missing: string }> {
  const reasons: string[] = [];
  for (const command of candidates) {
    const found = await inspect(command);
    if (typeof found === 'object') return found;
    reasons.push(found);
  }
  return { missing: reasons.join('; ') };
}

async function inspect(command: string): Promise<RedisBinary | string> {
  try {
    const { stdout } = await promisify(execFile)(command, ['--version'], { timeout: 5000 });
    const match = /^(\w+)\s+server v=((\d+)\.[\d.]+)/i.exec(stdout);
    const [, name = '', version = '', major] = match ?? [];
    if (match === null) return `${command} does not tell its version`;
    if (Number(major) < oldestMajor) return `${command} is version ${version}, older than ${oldestMajor}.0`;
    return { command, product: name.toLowerCase() === 'valkey' ? 'valkey' : 'redis', version };
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return isMissing ? `${command} is not installed` : `${command} cannot be run (${(error as Error).message})`;
  }
}

/** What one node is started with. */
export interface RedisServerOptions {
  readonly binary: RedisBinary;
  readonly address: NodeAddress;
  /** Its own folder, absolute; made if missing. What it holds from earlier runs is loaded. */
  readonly dir: string;
  readonly password?: string | undefined;
}

/** The port is in use by another program; another port may work. */
export class PortTaken extends Error {
  override readonly name = 'PortTaken';
}

/**
 * Starts a node and waits until it listens.
 * @throws {PortTaken} when its port or its bus port (10,000 higher) is in use.
 * @throws {Error} with the end of its log when it ends at once.
 */
export async function startRedisServer(options: RedisServerOptions): Promise<ProcessIdentity> {
  const { binary, dir } = options;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const configFile = join(dir, 'redis.conf');
  await writeFile(configFile, nodeConfig(options), { mode: 0o600 });
  await chmod(configFile, 0o600);
  const logFile = join(dir, 'redis.log');
  const log = await open(logFile, 'w', 0o600);
  try {
    const child = spawn(binary.command, [configFile], {
      cwd: dir,
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    });
    child.unref();
    return await untilListening(child, logFile);
  } finally {
    await log.close();
  }
}

const startTimeoutMs = 10_000;

/** The log is where a node says that it listens; asking over the network could reach a stranger on the same port. */
async function untilListening(child: ChildProcess, logFile: string): Promise<ProcessIdentity> {
  let ended: string | undefined;
  child.once('error', (error) => (ended = error.message));
  child.once('exit', (code, signal) => (ended = `ended with ${signal ?? `code ${code}`}`));
  const giveUpAt = performance.now() + startTimeoutMs;
  for (;;) {
    const log = await readFile(logFile, 'utf8');
    if (ended !== undefined) throw startError(ended, log);
    const identity = child.pid === undefined ? undefined : await identify(child.pid);
    if (identity !== undefined && /Ready to accept connections|Server initialized/.test(log)) return identity;
    if (performance.now() > giveUpAt) {
      child.kill('SIGKILL');
      throw startError(`did not start within ${startTimeoutMs} ms`, log);
    }
    await pause(20);
  }
}

function startError(reason: string, log: string): Error {
  const lastWords = log.trim().split('\n').slice(-4).join('\n');
  const message = `A Redis node ${reason}: ${lastWords}`;
  return /Address already in use/i.test(log) ? new PortTaken(message) : new Error(message);
}

/**
 * Short failure detection for a development machine; a shard that loses its master leaves the others at work; counters
 * survive a restart (AOF) and are never evicted, since an evicted counter is a quota given back.
 */
function nodeConfig({ address, dir, password }: RedisServerOptions): string {
  const { host, port } = address;
  const lines: [string, string][] = [
    ['bind', host],
    ['port', `${port}`],
    ['protected-mode', 'yes'],
    ['dir', `"${dir}"`],
    ['daemonize', 'no'],
    ['cluster-enabled', 'yes'],
    // Another loopback address than 127.0.0.1 is not told from the connection.
    ['cluster-announce-ip', host],
    ['cluster-node-timeout', '2000'],
    ['cluster-require-full-coverage', 'no'],
    ['cluster-replica-validity-factor', '0'],
    ['appendonly', 'yes'],
    ['appendfsync', 'everysec'],
    ['save', '""'],
    ['repl-diskless-sync-delay', '0'],
    ['maxmemory', '256mb'],
    ['maxmemory-policy', 'noeviction'],
  ];
  if (password !== undefined) lines.push(['requirepass', `"${password}"`], ['masterauth', `"${password}"`]);
  return `${lines.map(([name, value]) => `${name} ${value}`).join('\n')}\n`;
}
