/** The cluster as a whole, put together from what each node says: who is a member, who owns which slot, who is dead. */
import type { NodeReading } from './nodeReading.ts';
import { isFailing, type NodeRow } from './nodeTable.ts';
import { eachSlot, slotTotal } from './slots.ts';

/** A node that some table lists as dead and that is none of the nodes asked. */
export interface DeadNode {
  readonly id: string;
  /**
   * Whether another node now answers at its address: its disk was wiped or replaced, and what it held is not coming
   * back. Otherwise it may be away for a while only.
   */
  readonly replaced: boolean;
  /** Whether a majority has agreed that it is dead; only then is one of its replicas elected. */
  readonly agreed: boolean;
  readonly slotCount: number;
}

/** All nodes asked, all of which answered. */
export interface ClusterPicture {
  readonly nodes: readonly NodeReading[];
  readonly byId: ReadonlyMap<string, NodeReading>;
  /** Slot → the id of its owner; `undefined` where no node anywhere knows one. */
  readonly owners: readonly (string | undefined)[];
  /** Id → the number of slots that it owns, for every owner, dead ones too. */
  readonly slotCounts: ReadonlyMap<string, number>;
  readonly dead: readonly DeadNode[];
  /** Whether live nodes belong to the cluster that are not among the nodes asked. */
  readonly hasOthers: boolean;
}

/** Merges the readings. A node's word about itself goes before others'; of two claims the later epoch wins. */
export function clusterPicture(nodes: readonly NodeReading[]): ClusterPicture {
  const byId = new Map(nodes.map((node) => [node.self.id, node]));
  const outsiders = nodes.flatMap(({ rows }) =>
    rows.filter(({ id, flags }) => !byId.has(id) && !flags.includes('handshake')),
  );
  const owners = mergeOwners(
    nodes.map(({ self }) => self),
    outsiders,
  );
  const slotCounts = new Map<string, number>();
  for (const owner of owners) if (owner !== undefined) slotCounts.set(owner, (slotCounts.get(owner) ?? 0) + 1);
  const dead = deadNodes(nodes, outsiders, slotCounts);
  const deadIds = new Set(dead.map(({ id }) => id));
  return { nodes, byId, owners, slotCounts, dead, hasOthers: outsiders.some(({ id }) => !deadIds.has(id)) };
}

function mergeOwners(members: readonly NodeRow[], outsiders: readonly NodeRow[]): (string | undefined)[] {
  const owners = new Array<string | undefined>(slotTotal).fill(undefined);
  for (const rows of [members, outsiders]) {
    const settled = rows === outsiders ? [...owners] : [];
    for (const row of [...rows].sort((a, b) => a.configEpoch - b.configEpoch)) {
      for (const slot of eachSlot(row.slots)) if (settled[slot] === undefined) owners[slot] = row.id;
    }
  }
  return owners;
}

function deadNodes(
  nodes: readonly NodeReading[],
  outsiders: readonly NodeRow[],
  slotCounts: ReadonlyMap<string, number>,
): DeadNode[] {
  const addresses = new Set(nodes.map(({ meet }) => `${meet.ip}:${meet.port}`));
  const ids = [...new Set(outsiders.map(({ id }) => id))];
  return ids.flatMap((id) => {
    const rows = outsiders.filter((row) => row.id === id);
    // One node that still reaches it is enough to leave it alone.
    const isDead = rows.every((row) => isFailing(row) || row.flags.includes('noaddr'));
    const replaced = rows.some((row) => row.flags.includes('noaddr') || addresses.has(`${row.host}:${row.port}`));
    const agreed = rows.some(({ flags }) => flags.includes('fail'));
    return isDead ? [{ id, replaced, agreed, slotCount: slotCounts.get(id) ?? 0 }] : [];
  });
}

/** Groups of nodes that know of each other, directly or through others of the group; largest first. */
export function acquaintances(nodes: readonly NodeReading[]): NodeReading[][] {
  const groups: NodeReading[][] = [];
  for (const node of nodes) {
    const knows = (other: NodeReading): boolean =>
      node.rows.some(({ id }) => id === other.self.id) || other.rows.some(({ id }) => id === node.self.id);
    const joined = groups.filter((group) => group.some(knows));
    for (const group of joined) groups.splice(groups.indexOf(group), 1);
    groups.push([...joined.flat(), node]);
  }
  return groups.sort((a, b) => b.length - a.length);
}
