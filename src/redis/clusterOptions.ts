/** How the ioredis `Cluster` is set up; clusterClient.ts says why. */
import type { ClusterOptions, RedisOptions } from 'ioredis';
import type { NodeAddress } from '../config/clusterNodes.ts';
import type { AddressMap } from './addressMap.ts';

/** ioredis's options for one connection; replies keep one shape. */
export type NodeOptions = Omit<RedisOptions, 'replyMapping'>;

/** Where the cluster is and how to get in. */
export interface ClusterClientOptions {
  readonly nodes: readonly NodeAddress[];
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** `true`, or what Node's `tls.connect` takes. */
  readonly tls?: boolean | NonNullable<RedisOptions['tls']> | undefined;
  /** Reach every node at this host, at the port that it announces. */
  readonly reachVia?: string | undefined;
  /** More for each node's connection, e.g. `connectionName`, `family`. What the client's promises rest on stays. */
  readonly redisOptions?: NodeOptions | undefined;
  /** How long a ping, or a guarded call that brings no deadline of its own, waits for its answer, in ms (1000). */
  readonly answerTimeoutMs?: number | undefined;
}

const connectTimeoutMs = 1000;
const socketTimeoutMs = 1000;
/** A node that no longer answers does not answer a goodbye either. */
const disconnectTimeoutMs = 500;
const routineRefreshMs = 5000;

/** Options for `new Cluster`. */
export function clusterOptions(
  options: ClusterClientOptions,
  { natMap, random }: { natMap: AddressMap | undefined; random: () => number },
): Omit<ClusterOptions, 'redisOptions'> & { redisOptions: NodeOptions } {
  const tls = options.tls === true ? {} : options.tls || undefined;
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
    ...(tls && {
      dnsLookup: (address: string, callback: (error: null, address: string) => void) => callback(null, address),
    }),
    ...(natMap && { natMap }),
    redisOptions: {
      connectTimeout: connectTimeoutMs,
      socketTimeout: socketTimeoutMs,
      disconnectTimeout: disconnectTimeoutMs,
      connectionName: 'sluice',
      ...options.redisOptions,
      ...(options.username !== undefined && { username: options.username }),
      ...(options.password !== undefined && { password: options.password }),
      ...(tls && { tls }),
      autoResendUnfulfilledCommands: false,
    },
  };
}
