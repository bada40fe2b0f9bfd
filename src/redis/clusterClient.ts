/**
 * The ioredis `Cluster`, set up so that it never hangs, never re-sends and hears of a new master early, with a circuit
 * breaker for each shard.
 *
 * Invariants:
 * - A command is sent once. ioredis as it comes re-sends a command whose connection closed, which counts a request
 *   twice; here that is off, and only MOVED and ASK (where the server did nothing) are followed.
 * - Nothing is queued while the cluster is away: `enableOfflineQueue: false` at the top level of the options (inside
 *   `redisOptions` it does nothing: redis/ioredis#581).
 * - No command waits for ever on a frozen node: `socketTimeout` ends a connection that stays silent.
 *
 * When things fail: a dead master → its commands are rejected at once, and the topology is read again until a
 * replica has taken over. A frozen master → deadlines pass until its breaker opens; from then on its commands are
 * refused at once, and the topology is read as above. The whole cluster away → every command is rejected at once;
 * reconnecting goes on with jitter, so that many processes do not return as one.
 */
import { Cluster, type Redis } from 'ioredis';
import type { Logger } from '../observability/logger.ts';
import { createAddressMap } from './addressMap.ts';
import { createAnswerDeadline, type AnswerDeadline } from './answerDeadline.ts';
import { RedisUnavailableError } from './backend.ts';
import { clusterOptions, type ClusterClientOptions } from './clusterOptions.ts';
import { CorkedWrites } from './corkedWrites.ts';
import { keySlot } from './keySlot.ts';
import { quitPatiently } from './quitPatiently.ts';
import { isReplyError } from './serverReply.ts';
import { ShardBreakers, type ShardBreakerOptions } from './shardBreakers.ts';
import { createTopologyRefresh } from './topologyRefresh.ts';

export type { ClusterClientOptions };

/** A cluster connection that looks after its own topology. */
export interface ClusterClient {
  readonly cluster: Cluster;
  readonly breakers: ShardBreakers;
  /** The connections by `host:port`, replicas included. */
  readonly connections: ReadonlyMap<string, Redis>;
  /** True while commands can be sent to at least one master. */
  isReady(): boolean;
  /** Waits until the cluster and all masters are connected, at most `ms` milliseconds; false when not ready by then. */
  waitUntilReady(ms: number): Promise<boolean>;
  /** A command failed or missed its deadline: read the topology again soon. Cheap to call often. */
  reportTrouble(): void;
  /** Who serves the slot, master first, as `host:port`; empty when that is not known. */
  ownersOf(slot: number): readonly string[];
  /** Addresses of all nodes that own slots. */
  masters(): readonly string[];
  /** Addresses of all nodes of the slot map, replicas included. */
  nodes(): readonly string[];
  /** The node's connection if a command can be written to it now; what this turn writes to it leaves in one write. */
  connectionTo(address: string): Redis | undefined;
  /** Whether a connection to the node is just being made: not usable yet, and no sign of trouble. */
  isConnecting(address: string): boolean;
  /** Where this process reaches a node that a redirection names. */
  reachable(announced: string): string;
  /**
   * Runs `work`, which sends commands for `key` (whole, with any prefix), under the breaker of the key's shard and a
   * deadline (`answerTimeoutMs` unless given). What `work` throws counts against the shard unless it is the server's own reply.
   * @throws {RedisUnavailableError} the shard's breaker is open: nothing was sent; {@link NoAnswerError} not in time.
   */
  guard<T>(key: string, work: () => Promise<T>, deadline?: AnswerDeadline): Promise<T>;
  /** Asks the node for a sign of life. @throws {Error} when there is none in time. */
  ping(address: string): Promise<unknown>;
  close(): Promise<void>;
}

/** Everything is optional: without a logger nothing is logged. `breakers` are shared by clients of one cluster. */
export interface ClusterClientDeps {
  readonly logger?: Logger | undefined;
  readonly random?: (() => number) | undefined;
  readonly breakers?: ShardBreakers | undefined;
}

/** Misses in a row before a shard is left alone, and how long until it is tried again. */
export const defaultBreakerOptions: ShardBreakerOptions = { threshold: 5, resetMs: 500 };
const answerTimeoutMs = 1000;
const noOwners: readonly string[] = [];

/** Connects in the background; use {@link ClusterClient.waitUntilReady} to wait for it. */
export function createClusterClient(
  { logger, random = Math.random, breakers: sharedBreakers }: ClusterClientDeps,
  options: ClusterClientOptions,
): ClusterClient {
  const natMap = createAddressMap(options.nodes, options.reachVia);
  const cluster = new Cluster(
    options.nodes.map(({ host, port }) => ({ host, port })),
    clusterOptions(options, { natMap, random }),
  );
  const refresh = createTopologyRefresh(cluster, { random });
  const connections = new Map<string, Redis>();
  const writes = new CorkedWrites();
  const reportTrouble = () => refresh.soon();
  const defaultDeadline = createAnswerDeadline(reportTrouble, {
    deadlineMs: options.answerTimeoutMs ?? answerTimeoutMs,
  });
  const ping = async (address: string) => {
    const connection = connections.get(address);
    if (connection?.status !== 'ready') throw new RedisUnavailableError(`not connected to ${address}`);
    return defaultDeadline.watch(connection.ping());
  };
  const breakers = sharedBreakers ?? new ShardBreakers({ probe: ping }, defaultBreakerOptions);
  const onBreaker = (address: string, state: string, reason?: Error) => {
    logger?.warn({ node: address, state, ...(reason && { reason: reason.message }) }, 'redis cluster: breaker');
    if (state === 'open') reportTrouble();
  };
  let reachable: boolean | undefined;
  // Of the slot map as it was last read.
  let masters: readonly string[] = [];
  let nodes: readonly string[] = [];

  breakers.events.on('state', onBreaker);
  cluster.on('ready', () => {
    if (reachable === false) logger?.info('redis cluster: reachable again');
    reachable = true;
  });
  cluster.on('error', (error: Error & { lastNodeError?: Error }) => {
    // ioredis raises this at every failed round of reconnecting: only the change is news.
    if (reachable !== false)
      logger?.warn({ reason: (error.lastNodeError ?? error).message }, 'redis cluster: not reachable');
    reachable = false;
  });
  cluster.on('+node', (connection: Redis) => {
    connections.set(addressOf(connection), connection);
    // Connections are lazy; open them now, replicas too, so that a promoted one is warm when it is needed.
    if (connection.status === 'wait') connection.connect().catch(() => undefined);
  });
  cluster.on('-node', (connection: Redis) => {
    if (connections.get(addressOf(connection)) === connection) connections.delete(addressOf(connection));
    refresh.soon();
  });
  cluster.on('node error', (error: Error, address: string) => {
    logger?.debug({ node: address, reason: error.message }, 'redis cluster: node error');
    refresh.soon();
  });
  // By the slot map, not by the connections: those of a dead node come and go until its slots have a new owner.
  cluster.on('refresh', () => {
    const groups = ownerGroups(cluster);
    masters = [...new Set(groups.flatMap(([master]) => (master === undefined ? [] : [master])))];
    nodes = [...new Set(groups.flat())];
    breakers.retain(new Set(nodes));
  });

  const client: ClusterClient = {
    cluster,
    breakers,
    connections,
    isReady: () =>
      cluster.status === 'ready' && masters.some((one) => isUsable(connections.get(one)) && breakers.of(one).isClosed),
    waitUntilReady: (ms) => waitUntilReady(client, ms),
    reportTrouble,
    ownersOf: (slot) => cluster.slots[slot] ?? noOwners,
    masters: () => masters,
    nodes: () => nodes,
    connectionTo(address) {
      const connection = connections.get(address);
      if (!isUsable(connection)) return undefined;
      writes.cork(connection.stream);
      return connection;
    },
    isConnecting: (address) => {
      const status = connections.get(address)?.status;
      return status === 'wait' || status === 'connecting' || status === 'connect';
    },
    reachable(announced) {
      const mapped = natMap?.(announced);
      return mapped ? `${mapped.host}:${mapped.port}` : announced;
    },
    async guard(key, work, deadline = defaultDeadline) {
      const [owner] = client.ownersOf(keySlot(key));
      if (owner === undefined || cluster.status !== 'ready')
        throw new RedisUnavailableError('not connected to the cluster');
      const breaker = breakers.of(owner);
      if (!breaker.isClosed) {
        reportTrouble();
        throw new RedisUnavailableError(`the circuit breaker of ${owner} is ${breaker.state}`);
      }
      if (client.connectionTo(owner) === undefined && client.isConnecting(owner)) {
        throw new RedisUnavailableError(`not connected to ${owner} yet`);
      }
      try {
        const value = await deadline.watch(work());
        breaker.succeeded();
        return value;
      } catch (error) {
        if (isReplyError(error)) breaker.succeeded();
        else breaker.failed(error as Error);
        throw error;
      }
    },
    ping,
    async close() {
      refresh.close();
      breakers.events.off('state', onBreaker);
      if (sharedBreakers === undefined) breakers.close();
      await quitPatiently(cluster);
    },
  };
  return client;
}

function addressOf({ options }: Redis): string {
  return `${options.host}:${options.port}`;
}

function isUsable(connection: Redis | undefined): connection is Redis {
  return connection?.status === 'ready' && connection.stream.writable;
}

/** The different lists of owners in the slot map. ioredis keeps one list for all slots of a range. */
function ownerGroups({ slots }: Cluster): string[][] {
  const groups: string[][] = [];
  let last: string[] | undefined;
  for (const owners of slots) {
    if (owners === last || owners === undefined) continue;
    last = owners;
    groups.push(owners);
  }
  return groups;
}

async function waitUntilReady(client: ClusterClient, ms: number): Promise<boolean> {
  const { cluster, connections } = client;
  const allConnected = () => {
    const masters = client.masters();
    return (
      cluster.status === 'ready' && masters.length > 0 && masters.every((address) => isUsable(connections.get(address)))
    );
  };
  const giveUpAt = performance.now() + ms;
  while (!allConnected() && performance.now() < giveUpAt) await new Promise((resolve) => setTimeout(resolve, 5));
  return cluster.status === 'ready';
}
