/** What one node says of itself in INFO, as figures with units. */
import type { NodeReading } from '../formation/nodeReading.ts';

/** Figures of a node that answered. Counts are since the node's start. */
export interface NodeFigures {
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly keys: number;
  readonly usedMemoryBytes: number;
  /** 0: no limit. */
  readonly maxMemoryBytes: number;
  /** Used over limit, from 0; null where there is no limit. */
  readonly memoryRatio: number | null;
  /** What the process takes over what the data takes; far over 1 is waste, under 1 is swapping. */
  readonly fragmentationRatio: number;
  readonly clients: number;
  readonly opsPerSecond: number;
  readonly evictions: number;
  readonly keyspaceHits: number;
  readonly keyspaceMisses: number;
  /** `failing`: the last write or rewrite of the append-only file went wrong. */
  readonly aof: 'off' | 'ok' | 'rewriting' | 'failing';
  /** Position in the replication stream, in bytes: a master's end, a replica's progress. */
  readonly replicationOffset: number;
}

/** Reads the figures out of INFO; a field that the server does not have is 0. */
export function nodeFigures({ info, role, version, keys, usedMemoryBytes, maxMemoryBytes }: NodeReading): NodeFigures {
  const number = (field: string): number => Number(info.get(field) ?? 0) || 0;
  return {
    version,
    uptimeSeconds: number('uptime_in_seconds'),
    keys,
    usedMemoryBytes,
    maxMemoryBytes,
    memoryRatio: maxMemoryBytes === 0 ? null : usedMemoryBytes / maxMemoryBytes,
    fragmentationRatio: number('mem_fragmentation_ratio'),
    clients: number('connected_clients'),
    opsPerSecond: number('instantaneous_ops_per_sec'),
    evictions: number('evicted_keys'),
    keyspaceHits: number('keyspace_hits'),
    keyspaceMisses: number('keyspace_misses'),
    aof: aofState(info),
    replicationOffset: number(role === 'replica' ? 'slave_repl_offset' : 'master_repl_offset'),
  };
}

function aofState(info: ReadonlyMap<string, string>): NodeFigures['aof'] {
  if (info.get('aof_enabled') !== '1') return 'off';
  if (info.get('aof_last_write_status') === 'err' || info.get('aof_last_bgrewrite_status') === 'err') return 'failing';
  return info.get('aof_rewrite_in_progress') === '1' ? 'rewriting' : 'ok';
}
