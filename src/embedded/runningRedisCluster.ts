/**
 * The embedded cluster while it runs: its nodes, its file on disk, its end.
 *
 * Invariants: cluster.json tells at every moment where the nodes are; one start or stop at a time on a folder, over
 * all processes. When a node does not shut down in time it is killed; when the folder's lock is not free in time, the
 * stop is an error and the nodes run on, for the next start to adopt.
 */
import type { NodeAddress } from '../config/clusterNodes.ts';
import { pause } from '../deadline.ts';
import type { Logger } from '../observability/logger.ts';
import { readClusterView, type ClusterView } from '../redis/formation/clusterView.ts';
import { formCluster, type FormedCluster } from '../redis/formation/formCluster.ts';
import { lockDataDir, type DataDirLock } from './dataDirLock.ts';
import { writeClusterFile, type ClusterFile } from './redisClusterFile.ts';
import type { RedisNode } from './redisNode.ts';
import type { RedisBinary } from './redisServer.ts';

/** What startEmbeddedRedisCluster needs. */
export interface EmbeddedRedisOptions {
  /** Holds one folder a node, and cluster.json. Made if missing. */
  readonly dir: string;
  readonly logger: Logger;
  readonly binary: RedisBinary;
  /** 3 and 1 (for each master) unless given. A folder that holds more nodes keeps them all. */
  readonly masters?: number;
  readonly replicas?: number;
  /** The loopback address; 127.0.0.1 unless given. */
  readonly host?: string;
  readonly password?: string;
  readonly startedBy?: 'service' | 'cluster up';
  /** Longest wait for a healthy cluster, in ms; 30,000 unless given. */
  readonly timeoutMs?: number;
  /** Aborted: the start is given up, and what it started is stopped. */
  readonly signal?: AbortSignal;
  readonly random?: () => number;
}

/** A running cluster. Nodes are named by their address, which stays as long as this object is in use. */
export interface EmbeddedRedisCluster {
  readonly dir: string;
  readonly nodes: readonly NodeAddress[];
  /** Whether nodes were running already. */
  readonly adopted: boolean;
  /** Whether `close()` stops the nodes. */
  readonly owned: boolean;
  /** Stops all nodes, their data on disk, if this process owns them; else leaves them running. */
  close(): Promise<void>;
  /** Stops all nodes, whoever owns them. */
  stopAll(): Promise<void>;
  /** The state of all nodes now. */
  view(): Promise<ClusterView>;
  /** Repairs what is wrong and waits until all is well. @throws {FormationTimeout} */
  heal(timeoutMs: number): Promise<FormedCluster>;
  /** Ends a node by SIGKILL. */
  kill(address: NodeAddress): Promise<void>;
  /** Freezes a node (SIGSTOP), and wakes it. */
  pause(address: NodeAddress): Promise<void>;
  resume(address: NodeAddress): Promise<void>;
  /** Starts a node that was killed, on its old data and port; resolves once it listens. */
  restart(address: NodeAddress): Promise<void>;
  /** The folder with the node's data. */
  dirOf(address: NodeAddress): string;
  /** The node's process, `undefined` when it does not run. */
  pidOf(address: NodeAddress): number | undefined;
}

/** Longest wait for a healthy cluster, or for another process's start or stop, in ms. */
export const defaultTimeoutMs = 30_000;

/** Another process that is just starting or stopping the same cluster is waited for. */
export async function lockPatiently(dir: string, timeoutMs: number, signal?: AbortSignal): Promise<DataDirLock> {
  const giveUpAt = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await lockDataDir(dir);
    } catch (error) {
      const isHeld = (error as Error).message.includes('used by another running Sluice');
      if (!isHeld || performance.now() > giveUpAt) throw error;
    }
    await pause(100, signal);
  }
}

/** See {@link EmbeddedRedisCluster}. */
export class RunningRedisCluster implements EmbeddedRedisCluster {
  readonly dir: string;
  readonly adopted: boolean;
  readonly owned: boolean;
  readonly #all: readonly RedisNode[];
  readonly #options: EmbeddedRedisOptions;
  readonly #ownership: Omit<ClusterFile, 'nodes'>;
  #writing: Promise<void> = Promise.resolve();

  constructor(
    dir: string,
    nodes: readonly RedisNode[],
    options: EmbeddedRedisOptions & { adopted: boolean; owned: boolean },
    ownership: Omit<ClusterFile, 'nodes'>,
  ) {
    this.dir = dir;
    this.adopted = options.adopted;
    this.owned = options.owned;
    this.#all = nodes;
    this.#options = options;
    this.#ownership = ownership;
  }

  get nodes(): readonly NodeAddress[] {
    return this.#all.map(({ address }) => address);
  }

  async startNodes(missing: readonly RedisNode[], host: string): Promise<void> {
    const taken = new Set(this.#all.flatMap((node) => (missing.includes(node) ? [] : (node.port ?? []))));
    for (const node of missing) await node.settle(host, taken);
    // On disk before any process exists: if this one is killed now, the next finds what it started by these ports.
    await this.#save();
    const results = await Promise.allSettled(missing.map((node) => node.start(taken)));
    await this.#save();
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason as Error;
  }

  async close(): Promise<void> {
    if (this.owned) await this.stopAll();
    await this.#writing;
  }

  async stopAll(): Promise<void> {
    const lock = await lockPatiently(this.dir, defaultTimeoutMs);
    try {
      await Promise.all(this.#all.map((node) => node.stop()));
      await this.#save();
    } finally {
      await lock.release();
    }
  }

  view(): Promise<ClusterView> {
    return readClusterView(this.nodes, {
      password: this.#options.password,
      replicas: this.#ownership.replicas,
    });
  }

  heal(timeoutMs: number, signal?: AbortSignal): Promise<FormedCluster> {
    const { password, logger } = this.#options;
    const { replicas } = this.#ownership;
    return formCluster(this.nodes, { replicas, timeoutMs, logger, password, ...(signal && { signal }) });
  }

  async kill(address: NodeAddress): Promise<void> {
    await this.#find(address).kill();
    await this.#save();
  }

  async pause(address: NodeAddress): Promise<void> {
    await this.#find(address).signal('SIGSTOP');
  }

  async resume(address: NodeAddress): Promise<void> {
    await this.#find(address).signal('SIGCONT');
  }

  async restart(address: NodeAddress): Promise<void> {
    const node = this.#find(address);
    if (await node.adopt()) return;
    // Whoever uses this object knows the node by its port: it must not move now.
    await node.start(new Set());
    await this.#save();
  }

  dirOf(address: NodeAddress): string {
    return this.#find(address).dir;
  }

  pidOf(address: NodeAddress): number | undefined {
    return this.#find(address).process?.pid;
  }

  #find({ host, port }: NodeAddress): RedisNode {
    const node = this.#all.find(({ address }) => address.host === host && address.port === port);
    if (node === undefined) throw new Error(`${host}:${port} is no node of the cluster in ${this.dir}`);
    return node;
  }

  /** One write after another, each of what is true when it begins. */
  #save(): Promise<void> {
    const write = async (): Promise<void> => {
      const nodes = this.#all.map((node) => ({ name: node.name, ...node.address, process: node.process }));
      await writeClusterFile(this.dir, { ...this.#ownership, nodes });
    };
    this.#writing = this.#writing.then(write, write);
    return this.#writing;
  }
}
