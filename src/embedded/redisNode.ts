/**
 * One node of the embedded cluster: a folder with its data, an address, and the process that serves it, if any.
 *
 * Invariants: a process is adopted, shut down or signalled only when it is proved to be this node's: it says that it
 * works in this folder (`CONFIG GET dir`), or it is the very process that was started here (pid and start time).
 * When it does not answer it is woken (it may be frozen), and killed as the last resort; its AOF is at most a second old.
 */
import { mkdir, realpath } from 'node:fs/promises';
import type { NodeAddress } from '../config/clusterNodes.ts';
import { pause } from '../deadline.ts';
import { NodeConnection } from '../redis/formation/nodeConnection.ts';
import { identify, isRunning, signalProcess, waitForEnd, type ProcessIdentity } from './processIdentity.ts';
import { freePortPair, isPortPairFree } from './redisPorts.ts';
import { PortTaken, startRedisServer, type RedisBinary } from './redisServer.ts';

/** What all nodes of a cluster share. */
export interface NodeOptions {
  readonly binary: RedisBinary;
  readonly password?: string | undefined;
  readonly random: () => number;
}

const portAttempts = 5;
const wakeTimeoutMs = 2000;
const shutdownTimeoutMs = 5000;
const killTimeoutMs = 2000;

/** See the head of the file. */
export class RedisNode {
  readonly name: string;
  readonly dir: string;
  readonly #options: NodeOptions;
  #host: string;
  #port: number | undefined;
  #process: ProcessIdentity | undefined;

  /** @param place where it was last, if it ever ran */
  constructor(
    name: string,
    dir: string,
    place: { host: string; port?: number; process?: ProcessIdentity | undefined },
    options: NodeOptions,
  ) {
    this.name = name;
    this.dir = dir;
    this.#host = place.host;
    this.#port = place.port;
    this.#process = place.process;
    this.#options = options;
  }

  /** @throws {Error} before the node has a port. */
  get address(): NodeAddress {
    if (this.#port === undefined) throw new Error(`${this.name} has no port yet`);
    return { host: this.#host, port: this.#port };
  }

  get port(): number | undefined {
    return this.#port;
  }

  get process(): ProcessIdentity | undefined {
    return this.#process;
  }

  /** Finds the node's process if it runs, and says whether it does. One that runs but is beyond help is ended. */
  async adopt(): Promise<boolean> {
    const known = this.#process;
    this.#process = await this.#ask();
    if (this.#process !== undefined || known === undefined) return this.#process !== undefined;
    if (!(await signalProcess(known, 'SIGCONT'))) return false;
    const giveUpAt = performance.now() + wakeTimeoutMs;
    while (this.#process === undefined && performance.now() < giveUpAt && (await isRunning(known))) {
      await pause(100);
      this.#process = await this.#ask();
    }
    if (this.#process === undefined) await end(known);
    return this.#process !== undefined;
  }

  /** Makes sure that the node has a host and a free port; another one than before when that one is in use. */
  async settle(host: string, taken: Set<number>): Promise<void> {
    this.#host = host;
    const keeps = this.#port !== undefined && !taken.has(this.#port) && (await isPortPairFree(host, this.#port));
    if (!keeps || this.#port === undefined) this.#port = await freePortPair(host, taken, this.#options.random);
    taken.add(this.#port);
  }

  /**
   * Starts the node on what its folder holds.
   * @param taken ports of the other nodes; grows by this one's
   * @throws {Error} with the end of its log.
   */
  async start(taken: Set<number>): Promise<void> {
    const { binary, password } = this.#options;
    await mkdir(this.dir, { recursive: true, mode: 0o700 });
    for (let attempt = 1; ; attempt++) {
      try {
        this.#process = await startRedisServer({ binary, password, address: this.address, dir: this.dir });
        return;
      } catch (error) {
        if (!(error instanceof PortTaken) || attempt === portAttempts) throw error;
        this.#port = await freePortPair(this.#host, taken, this.#options.random);
        taken.add(this.#port);
      }
    }
  }

  /** Ends the process with everything written to disk; by force when it does not answer. */
  async stop(): Promise<void> {
    if (!(await this.adopt())) return;
    const running = this.#process;
    if (running === undefined) return;
    // NOW: replicas that are shut down at the same moment are not waited for. The answer is a closed connection.
    await this.#withConnection((connection) => connection.call('SHUTDOWN', 'NOW')).catch(() => undefined);
    if (!(await waitForEnd(running, shutdownTimeoutMs))) await end(running);
    this.#process = undefined;
  }

  /** SIGKILL: a crash. */
  async kill(): Promise<void> {
    if (this.#process !== undefined) await end(this.#process);
    this.#process = undefined;
  }

  /** SIGSTOP freezes the process, SIGCONT wakes it. */
  async signal(signal: 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    if (this.#process === undefined || !(await signalProcess(this.#process, signal))) {
      throw new Error(`${this.name} is not running`);
    }
  }

  /** The process at the node's address, if it is the node's own. */
  async #ask(): Promise<ProcessIdentity | undefined> {
    if (this.#port === undefined) return undefined;
    try {
      return await this.#withConnection(async (connection) => {
        const [, dir] = (await connection.call('CONFIG', 'GET', 'dir')) as string[];
        if (dir !== (await realpath(this.dir))) return undefined;
        const pid = /^process_id:(\d+)/m.exec(String(await connection.call('INFO', 'server')))?.[1];
        return await identify(Number(pid));
      });
    } catch {
      return undefined;
    }
  }

  async #withConnection<T>(work: (connection: NodeConnection) => Promise<T>): Promise<T> {
    const connection = new NodeConnection(this.address, { password: this.#options.password });
    try {
      return await work(connection);
    } finally {
      connection.close();
    }
  }
}

async function end(process: ProcessIdentity): Promise<void> {
  await signalProcess(process, 'SIGKILL');
  if (!(await waitForEnd(process, killTimeoutMs))) throw new Error(`process ${process.pid} cannot be killed`);
}
