/** The facts of a whole cluster at one moment: nodes, shards, slot coverage, copies and where they stand. */
import { viewOf, type ClusterNodeView } from '../formation/clusterView.ts';
import { formatAddress } from '../formation/nodeConnection.ts';
import type { NodeReading, SilentNode } from '../formation/nodeReading.ts';
import { eachSlot, formatSlots, slotTotal } from '../formation/slots.ts';
import { nodeFigures, type NodeFigures } from './nodeFacts.ts';

/** A reading and how long the node took for it. */
export type TimedReading = { readonly reading: NodeReading | SilentNode; readonly answerMs: number };

/** One node. */
export interface NodeFacts {
  /** `host:port` where it was asked. */
  readonly address: string;
  /** `host:port` by which the cluster knows it; `address` while that is unknown. */
  readonly announced: string;
  readonly id: string;
  readonly answered: boolean;
  readonly role: 'master' | 'replica' | 'unknown';
  /** Shards are numbered from 1 in the order of their slots; a replica has its master's number; null: none. */
  readonly shard: number | null;
  /** `0-5460 5462`, or `none`. */
  readonly slots: string;
  readonly slotCount: number;
  readonly masterId: string | null;
  /** Of a replica to its master. */
  readonly link: 'up' | 'syncing' | 'down' | null;
  /** Of a replica: bytes of its master's stream that it does not have yet; null while either is unknown. */
  readonly lagBytes: number | null;
  /** How long it took to answer all questions, in ms; null: it did not. */
  readonly answerMs: number | null;
  readonly figures: NodeFigures | null;
  /** What is wrong with it, or in its eyes. */
  readonly problems: readonly string[];
}

/** The cluster. Nodes are named by address. */
export interface ClusterFacts {
  /** `fail` as soon as one node that answered says so. */
  readonly state: 'ok' | 'fail' | 'unknown';
  /** Slots that some node owns, of 16,384. */
  readonly slotsAssigned: number;
  /** Slots whose owner answered. */
  readonly slotsServed: number;
  readonly mastersWithoutReplica: readonly string[];
  /** Nodes of one shard on one host: they go down together. */
  readonly sharedHosts: readonly { readonly host: string; readonly shard: number; readonly nodes: readonly string[] }[];
  /** How many hosts there are. */
  readonly hosts: number;
  readonly nodes: readonly NodeFacts[];
}

/** What an earlier check knew of a node, for when it stays silent. */
export type Remembered = ReadonlyMap<string, Pick<NodeFacts, 'id' | 'role' | 'announced'>>;

/** Puts the readings together. `replicas`: how many each master should have. */
export function clusterFacts(timed: readonly TimedReading[], replicas: number, remembered: Remembered): ClusterFacts {
  const readings = timed.map(({ reading }) => reading);
  const views = viewOf(readings, replicas).nodes;
  const shards = shardNumbers(views);
  const offsets = masterOffsets(readings);
  const nodes = views.map((view, index) =>
    nodeFacts(view, timed[index] as TimedReading, { shards, offsets, remembered }),
  );
  const answered = readings.filter((reading) => reading.answered);
  return {
    state: answered.length === 0 ? 'unknown' : answered.every(({ state }) => state === 'ok') ? 'ok' : 'fail',
    slotsAssigned: union(answered.flatMap(({ rows }) => rows)),
    slotsServed: union(answered.filter(({ role }) => role === 'master').map(({ self }) => self)),
    mastersWithoutReplica: withoutReplica(nodes),
    sharedHosts: sharedHosts(nodes),
    hosts: new Set(nodes.map(hostOf)).size,
    nodes,
  };
}

interface Context {
  readonly shards: ReadonlyMap<string, number>;
  readonly offsets: ReadonlyMap<string, number>;
  readonly remembered: Remembered;
}

function nodeFacts(view: ClusterNodeView, { reading, answerMs }: TimedReading, context: Context): NodeFacts {
  const address = formatAddress(view.address);
  const known = context.remembered.get(address);
  const figures = reading.answered ? nodeFigures(reading) : null;
  const masterOffset = context.offsets.get(view.masterId ?? '');
  const id = view.id === '' ? (known?.id ?? '') : view.id;
  return {
    address,
    announced:
      reading.answered && reading.self.host !== '' ? formatAddress(reading.self) : (known?.announced ?? address),
    id,
    answered: view.answered,
    role: view.role === 'unknown' ? (known?.role ?? 'unknown') : view.role,
    shard: context.shards.get(view.masterId ?? id) ?? null,
    slots: formatSlots(view.slots),
    slotCount: view.slotCount,
    masterId: view.masterId ?? null,
    link: view.link ?? null,
    // The two offsets are read a moment apart: a replica may look ahead of its master.
    lagBytes:
      view.role !== 'replica' || figures === null || masterOffset === undefined
        ? null
        : Math.max(0, masterOffset - figures.replicationOffset),
    answerMs: view.answered ? answerMs : null,
    figures,
    problems: view.problems,
  };
}

/** While a failover is news, a dead master's slots are still told of it by some: it shares its successor's number. */
function shardNumbers(views: readonly ClusterNodeView[]): Map<string, number> {
  const owners = views.filter(({ id, slotCount }) => id !== '' && slotCount > 0);
  const starts = [...new Set(owners.map(firstSlot))].sort((a, b) => a - b);
  return new Map(owners.map((owner) => [owner.id, starts.indexOf(firstSlot(owner)) + 1]));
}

function firstSlot({ slots }: ClusterNodeView): number {
  return Math.min(...slots.map(([first]) => first));
}

function masterOffsets(readings: readonly (NodeReading | SilentNode)[]): Map<string, number> {
  const masters = readings.filter((reading) => reading.answered).filter(({ role }) => role === 'master');
  return new Map(masters.map((master) => [master.self.id, nodeFigures(master).replicationOffset]));
}

function union(owners: readonly Pick<NodeReading['self'], 'slots'>[]): number {
  const seen = new Uint8Array(slotTotal);
  for (const { slots } of owners) for (const slot of eachSlot(slots)) seen[slot] = 1;
  return seen.reduce((sum, one) => sum + one, 0);
}

/** A copy counts when it follows a living link: one that is down would lose what it missed. */
function withoutReplica(nodes: readonly NodeFacts[]): string[] {
  const copied = new Set(
    nodes.flatMap(({ masterId, answered, link }) => (answered && link === 'up' ? [masterId] : [])),
  );
  const masters = nodes.filter(({ answered, role, slotCount }) => answered && role === 'master' && slotCount > 0);
  return masters.filter(({ id }) => !copied.has(id)).map(({ address }) => address);
}

function sharedHosts(nodes: readonly NodeFacts[]): ClusterFacts['sharedHosts'] {
  const groups = new Map<string, { host: string; shard: number; nodes: string[] }>();
  for (const node of nodes) {
    if (node.shard === null) continue;
    const host = hostOf(node);
    const key = `${node.shard} ${host}`;
    const group = groups.get(key) ?? { host, shard: node.shard, nodes: [] };
    group.nodes.push(node.address);
    groups.set(key, group);
  }
  return [...groups.values()].filter((group) => group.nodes.length > 1);
}

function hostOf({ announced }: NodeFacts): string {
  return announced.slice(0, announced.lastIndexOf(':'));
}
