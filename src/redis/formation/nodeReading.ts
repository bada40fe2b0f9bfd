/** What one node says of itself and of its cluster at one moment. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { NodeAddress } from '../../config/clusterNodes.ts';
import { within } from '../../deadline.ts';
import { parseNodeTable, type NodeRow } from './nodeTable.ts';
import type { NodeConnection } from './nodeConnection.ts';
import { everyShardHasItsMaster } from './shardList.ts';

/** Where the other nodes must look for a node. */
export interface MeetAddress {
  /** What `CLUSTER MEET` takes: an IP address, never a name. */
  readonly ip: string;
  /** What the node announces, when that is a name (`cluster-announce-ip redis-1`). */
  readonly name: string | undefined;
  readonly port: number;
  readonly busPort: number;
}

/** A node that answered. */
export interface NodeReading {
  readonly answered: true;
  readonly address: NodeAddress;
  readonly meet: MeetAddress;
  readonly self: NodeRow;
  /** Its whole table, its own line included. */
  readonly rows: readonly NodeRow[];
  readonly state: string;
  readonly slotsOk: number;
  /** Whether it takes every replica for a member of its master's shard. */
  readonly shardsKnown: boolean;
  readonly role: 'master' | 'replica';
  /** For a replica: whether it follows its master and holds a whole copy. */
  readonly link: 'up' | 'syncing' | 'down' | undefined;
  readonly keys: number;
  readonly usedMemoryBytes: number;
  /** 0: no limit. */
  readonly maxMemoryBytes: number;
  readonly version: string;
  /** All fields of its INFO, for whoever wants to know more. */
  readonly info: ReadonlyMap<string, string>;
}

/** A node that did not answer. */
export interface SilentNode {
  readonly answered: false;
  readonly address: NodeAddress;
  readonly reason: string;
}

/** Asks one node for everything; never throws. */
export async function readNode(node: NodeConnection): Promise<NodeReading | SilentNode> {
  try {
    return await ask(node);
  } catch (error) {
    return { answered: false, address: node.address, reason: explain((error as Error).message) };
  }
}

async function ask(node: NodeConnection): Promise<NodeReading> {
  // LOADING and NOAUTH show here, before anything is concluded from a half answer.
  await node.call('PING');
  const [table, clusterInfo, shards, info, announced] = await Promise.all([
    node.call('CLUSTER', 'NODES'),
    node.call('CLUSTER', 'INFO'),
    node.call('CLUSTER', 'SHARDS'),
    node.call('INFO'),
    // An ACL may forbid CONFIG; the node is then met where it was found.
    node.call('CONFIG', 'GET', 'cluster-announce-*').catch(() => []),
  ]);
  const rows = parseNodeTable(String(table));
  const self = rows.find(({ flags }) => flags.includes('myself'));
  if (self === undefined) throw new Error('CLUSTER NODES has no line for the node itself');
  const cluster = parseFields(String(clusterInfo));
  const fields = parseFields(String(info));
  const role = fields.get('role') === 'slave' ? 'replica' : 'master';
  return {
    answered: true,
    address: node.address,
    meet: await meetAddress(node.address, self, announced as string[]),
    self,
    rows,
    state: cluster.get('cluster_state') ?? 'unknown',
    slotsOk: Number(cluster.get('cluster_slots_ok')),
    shardsKnown: everyShardHasItsMaster(shards),
    role,
    link: role === 'replica' ? linkOf(fields) : undefined,
    keys: Number(/keys=(\d+)/.exec(fields.get('db0') ?? '')?.[1] ?? 0),
    usedMemoryBytes: Number(fields.get('used_memory') ?? 0),
    maxMemoryBytes: Number(fields.get('maxmemory') ?? 0),
    version: fields.get('valkey_version') ?? fields.get('redis_version') ?? 'unknown',
    info: fields,
  };
}

function linkOf(fields: ReadonlyMap<string, string>): 'up' | 'syncing' | 'down' {
  if (fields.get('master_sync_in_progress') === '1') return 'syncing';
  return fields.get('master_link_status') === 'up' ? 'up' : 'down';
}

async function meetAddress(address: NodeAddress, self: NodeRow, announced: readonly string[]): Promise<MeetAddress> {
  const setting = (name: string): string | undefined => {
    const value = announced[announced.indexOf(name) + 1];
    return announced.includes(name) && value !== '' && value !== '0' ? value : undefined;
  };
  const host = setting('cluster-announce-ip') ?? address.host;
  return {
    ip: await resolve(host),
    name: isIP(host) === 0 ? host : undefined,
    port: Number(setting('cluster-announce-port') ?? address.port),
    busPort: Number(setting('cluster-announce-bus-port') ?? self.busPort),
  };
}

async function resolve(host: string): Promise<string> {
  if (isIP(host) !== 0) return host;
  // Most networks of containers are IPv4; a name with both must give every node the same kind of address.
  const { address } = await within(AbortSignal.timeout(2000), lookup(host, { order: 'ipv4first' }));
  return address;
}

function parseFields(text: string): Map<string, string> {
  const pairs = text.split(/\r?\n/).map((line) => /^([^:#]+):(.*)$/.exec(line));
  return new Map(pairs.flatMap((pair) => (pair === null ? [] : [[pair[1] ?? '', pair[2] ?? '']])));
}

function explain(message: string): string {
  if (message.startsWith('LOADING')) return 'it is still loading its data';
  if (message.startsWith('NOAUTH') || message.startsWith('WRONGPASS')) return `the password is refused (${message})`;
  if (message.includes('cluster support disabled')) return 'it does not run in cluster mode (cluster-enabled yes)';
  return message;
}
