/**
 * The ioredis `Cluster`, set up so that it never hangs, never re-sends and hears of a new master early.
 *
 * Invariants:
 * - A command is sent once. ioredis as it comes re-sends a command whose connection closed, which counts a request
 *   twice; here that is off, and only MOVED and ASK (where the server did nothing) are followed.
 * - Nothing is queued while the cluster is away: `enableOfflineQueue: false` at the top level of the options (inside
 *   `redisOptions` it does nothing: redis/ioredis#581).
 * - No command waits for ever on a frozen node: `socketTimeout` ends a connection that stays silent.
 *
 * When things fail: a dead master → its commands are rejected at once, and the topology is read again until a
 * replica has taken over. A frozen master → the caller's deadline passes, it calls `reportTrouble()`, and the same
 * happens. The whole cluster away → every command is rejected at once; reconnecting goes on with jitter, so that many
 * processes do not return as one.
 */
import { Cluster, type ClusterOptions } from 'ioredis';
import type { NodeAddress } from '../config/clusterNodes.ts';
import type { Logger } from '../observability/logger.ts';
import { createAddressMap } from './addressMap.ts';
import { createTopologyRefresh } from './topologyRefresh.ts';

/** Where the cluster is and how to get in. */
export interface ClusterClientOptions {
  readonly nodes: readonly NodeAddress[];
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly tls?: boolean;
  /** Reach every node at this host, at the port that it announces. */
  readonly reachVia?: string | undefined;
}

/** A cluster connection that looks after its own topology. */
export interface ClusterClient {
  readonly cluster: Cluster;
  /** True while commands can be sent to at least one master. */
  isReady(): boolean;
  /** Waits until the cluster is ready, at most `ms` milliseconds; false when it is not by then. */
  waitUntilReady(ms: number): Promise<boolean>;
  /** A command failed or missed its deadline: read the topology again soon. Cheap to call often. */
  reportTrouble(): void;
  close(): Promise<void>;
}

const connectTimeoutMs = 1000;
const socketTimeoutMs = 1000;
const routineRefreshMs = 5000;

/** Connects in the background; use {@link ClusterClient.waitUntilReady} to wait for it. */
export function createClusterClient(
  { logger, random = Math.random }: { logger: Logger; random?: () => number },
  options: ClusterClientOptions,
): ClusterClient {
  const cluster = new Cluster(
    options.nodes.map(({ host, port }) => ({ host, port })),
    clusterOptions(options, random),
  );
  const refresh = createTopologyRefresh(cluster, { random });
  let reachable: boolean | undefined;

  cluster.on('ready', () => {
    if (reachable === false) logger.info('redis cluster: reachable again');
    reachable = true;
  });
  cluster.on('error', (error: Error & { lastNodeError?: Error }) => {
    // ioredis raises this at every failed round of reconnecting: only the change is news.
    if (reachable !== false) logger.warn({ reason: (error.lastNodeError ?? error).message }, 'redis cluster: not reachable');
    reachable = false;
  });
  // Connections are lazy; open them now, replicas too, so that a promoted one is warm when it is needed.
  cluster.on('+node', (node: { status: string; connect(): Promise<void> }) => {
    if (node.status === 'wait') node.connect().catch(() => undefined);
  });
  cluster.on('-node', () => refresh.soon());
  cluster.on('node error', (error: Error, address: string) => {
    logger.debug({ node: address, reason: error.message }, 'redis cluster: node error');
    refresh.soon();
  });

  return {
    cluster,
    isReady: () => cluster.status === 'ready',
    waitUntilReady: (ms) => waitUntilReady(cluster, ms),
    reportTrouble: () => refresh.soon(),
    close: () => {
      refresh.close();
      return end(cluster);
    },
  };
}

function clusterOptions(options: ClusterClientOptions, random: () => number) {
  const natMap = createAddressMap(options.nodes, options.reachVia);
  return {
    enableOfflineQueue: false,
    enableAutoPipelining: false,
    // MOVED and ASK only: with these two delays at 0 a lost connection or CLUSTERDOWN is the caller's to handle.
    maxRedirections: 5,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    slotsRefreshTimeout: 1000,
    slotsRefreshInterval: routineRefreshMs,
    clusterRetryStrategy: (times) => Math.min(50 * times, 1000) * (0.5 + random()),
    // With TLS the certificate is for the name, so names are kept.
    ...(options.tls === true && { dnsLookup: (address, callback) => callback(null, address) }),
    ...(natMap && { natMap }),
    redisOptions: {
      ...(options.username !== undefined && { username: options.username }),
      ...(options.password !== undefined && { password: options.password }),
      ...(options.tls === true && { tls: {} }),
      connectTimeout: connectTimeoutMs,
      socketTimeout: socketTimeoutMs,
      autoResendUnfulfilledCommands: false,
      connectionName: 'sluice',
    },
  } satisfies ClusterOptions;
}

async function waitUntilReady(cluster: Cluster, ms: number): Promise<boolean> {
  if (cluster.status === 'ready') return true;
  return new Promise((resolve) => {
    const settle = (ready: boolean) => {
      clearTimeout(timer);
      cluster.off('ready', onReady);
      resolve(ready);
    };
    const onReady = () => settle(true);
    const timer = setTimeout(() => settle(false), ms);
    cluster.once('ready', onReady);
  });
}

/** QUIT waits for answers that are still on their way, but a frozen node must not hold up the shutdown. */
async function end(cluster: Cluster): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => (timer = setTimeout(resolve, 500)));
  await Promise.race([cluster.quit().then(() => undefined, () => undefined), patience]);
  clearTimeout(timer);
  cluster.disconnect();
}
