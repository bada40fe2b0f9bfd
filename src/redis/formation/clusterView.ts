/** One merged picture of a cluster for people, health checks and tests. */
import type { NodeAddress } from '../../config/clusterNodes.ts';
import { findProblems } from './clusterProblems.ts';
import { NodeConnection, type NodeAccess } from './nodeConnection.ts';
import { readNode, type NodeReading, type SilentNode } from './nodeReading.ts';
import { isFailing } from './nodeTable.ts';
import { countSlots, type SlotRange } from './slots.ts';

/** One node as it is now. */
export interface ClusterNodeView {
  /** Where it was asked. */
  readonly address: NodeAddress;
  readonly answered: boolean;
  /** Empty while unknown: a node that does not answer and that no other node lists at this address. */
  readonly id: string;
  /** The node's own word; others' where it does not answer. */
  readonly role: 'master' | 'replica' | 'unknown';
  readonly slots: readonly SlotRange[];
  readonly slotCount: number;
  readonly masterId: string | undefined;
  readonly flags: readonly string[];
  /** Of a replica to its master. */
  readonly link: 'up' | 'syncing' | 'down' | undefined;
  readonly keys: number;
  readonly usedMemoryBytes: number;
  /** 0: no limit. */
  readonly maxMemoryBytes: number;
  readonly version: string | undefined;
  /** What is wrong with the node, or in its eyes; empty when all is well. */
  readonly problems: readonly string[];
}

/** All nodes that were asked, in their order. */
export interface ClusterView {
  readonly nodes: readonly ClusterNodeView[];
  /** No node has a problem: every slot is served and every master has a synced replica, in the eyes of every node. */
  readonly healthy: boolean;
}

/** How {@link readClusterView} looks. */
export interface ViewOptions extends NodeAccess {
  /** Replicas that each master should have; 1 unless given. */
  readonly replicas?: number;
  /** Also ask the nodes that the given ones know of: for a list that names only some. */
  readonly discover?: boolean;
  /** The host at which to reach discovered nodes, instead of what they announce. */
  readonly reachVia?: string | undefined;
}

/** Asks every node once; one that does not answer within `commandTimeoutMs` is part of the picture. Never throws. */
export async function readClusterView(nodes: readonly NodeAddress[], options: ViewOptions = {}): Promise<ClusterView> {
  const readings = await readAll(nodes, options);
  const more = options.discover === true ? undiscovered(readings, options.reachVia) : [];
  return viewOf([...readings, ...(await readAll(more, options))], options.replicas ?? 1);
}

async function readAll(nodes: readonly NodeAddress[], access: NodeAccess): Promise<(NodeReading | SilentNode)[]> {
  const connections = nodes.map((address) => new NodeConnection(address, access));
  try {
    return await Promise.all(connections.map(readNode));
  } finally {
    for (const connection of connections) connection.close();
  }
}

/** Nodes that the readings' tables name and that were not asked; `knownIds`: asked too, though they did not answer. @internal */
export function undiscovered(
  readings: readonly (NodeReading | SilentNode)[],
  reachVia: string | undefined,
  knownIds: readonly string[] = [],
): NodeAddress[] {
  const answered = readings.filter((reading) => reading.answered);
  const asked = new Set(readings.map(({ address }) => `${address.host}:${address.port}`));
  const ids = new Set([...knownIds, ...answered.map(({ self }) => self.id)]);
  const found = new Map<string, NodeAddress>();
  for (const row of answered.flatMap(({ rows }) => rows)) {
    const address = { host: reachVia ?? row.host, port: row.port };
    const isKnown = ids.has(row.id) || asked.has(`${address.host}:${address.port}`);
    if (!isKnown && row.host !== '' && !row.flags.includes('handshake')) found.set(row.id, address);
  }
  return [...found.values()];
}

/** Puts readings together. @internal */
export function viewOf(readings: readonly (NodeReading | SilentNode)[], replicas: number): ClusterView {
  const problems = findProblems(readings, replicas);
  const nodes = readings.map((reading, index) =>
    reading.answered
      ? answeredView(reading, problems[index] ?? [])
      : silentView(reading, readings, problems[index] ?? []),
  );
  return { nodes, healthy: problems.every((list) => list.length === 0) };
}

function answeredView(reading: NodeReading, problems: readonly string[]): ClusterNodeView {
  const { address, self, role, link, keys, usedMemoryBytes, maxMemoryBytes, version } = reading;
  const { id, slots, masterId, flags } = self;
  const slotCount = countSlots(slots);
  return {
    ...{ address, answered: true, id, role, slots, slotCount, masterId, flags, link },
    ...{ keys, usedMemoryBytes, maxMemoryBytes, version, problems },
  };
}

/** What the others remember of a node that does not answer. */
function silentView(
  silent: SilentNode,
  all: readonly (NodeReading | SilentNode)[],
  problems: readonly string[],
): ClusterNodeView {
  const { address } = silent;
  const rows = all.flatMap((reading) => (reading.answered ? reading.rows : []));
  const known = rows.filter((row) => row.port === address.port && row.host === address.host);
  const row = known.find(isFailing) ?? known[0];
  const role = row === undefined ? 'unknown' : row.flags.includes('master') ? 'master' : 'replica';
  const slots = row?.slots ?? [];
  return {
    ...{
      address,
      answered: false,
      id: row?.id ?? '',
      role,
      slots,
      slotCount: countSlots(slots),
      masterId: row?.masterId,
    },
    ...{
      flags: row?.flags ?? [],
      link: role === 'replica' ? 'down' : undefined,
      keys: 0,
      usedMemoryBytes: 0,
    },
    ...{ maxMemoryBytes: 0, version: undefined, problems },
  };
}
