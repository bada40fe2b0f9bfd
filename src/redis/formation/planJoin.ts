/** Makes every node know every other at its present address. */
import { acquaintances } from './clusterPicture.ts';
import type { MeetAddress, NodeReading } from './nodeReading.ts';
import type { NodeRow } from './nodeTable.ts';
import type { Repair } from './repairs.ts';
import { eachSlot } from './slots.ts';

/** A cluster that cannot be repaired without the risk of losing data: a person has to decide. */
export class FormationRefused extends Error {
  override readonly name = 'FormationRefused';
}

/** All pairs of eight nodes both ways; a larger cluster takes a few rounds, its ring first, and gossip does the rest. */
const meetsPerRound = 56;

/** @throws {FormationRefused} when two clusters that both hold data would be joined. */
export function planJoin(nodes: readonly NodeReading[]): Repair[] {
  const groups = acquaintances(nodes);
  const resets = planResets(groups);
  if (resets.length > 0) return resets;
  const meets = pairsByDistance(nodes).flatMap(([on, who, distance]): Repair[] =>
    mustMeet(on, who, distance, nodes) ? [{ kind: 'meet', on, who: who.meet }] : [],
  );
  const epochs = groups.length === nodes.length ? planEpochs(nodes) : [];
  return meets.length === 0 ? [] : [...epochs, ...meets.slice(0, meetsPerRound)];
}

/** Every ordered pair; neighbours on the ring first. */
function pairsByDistance(nodes: readonly NodeReading[]): [NodeReading, NodeReading, number][] {
  const distances = Array.from({ length: nodes.length - 1 }, (_, index) => index + 1);
  return distances.flatMap((distance) =>
    nodes.flatMap((on, index): [NodeReading, NodeReading, number][] => {
      const who = nodes[(index + distance) % nodes.length];
      return who === undefined ? [] : [[on, who, distance]];
    }),
  );
}

function mustMeet(on: NodeReading, who: NodeReading, distance: number, all: readonly NodeReading[]): boolean {
  const row = rowOf(on, who);
  // Strangers meet once: the greeting makes both sides acquainted.
  if (row === undefined) return rowOf(who, on) !== undefined || all.indexOf(on) < all.indexOf(who);
  if (!isDisputed(who, all)) return false;
  // Only a greeting teaches a node its own new address: one neighbour sends it.
  const ownIsStale = who.self.host !== '' && !isAt(who.self, who.meet);
  return !isAt(row, who.meet) || (ownIsStale && distance === 1);
}

/**
 * Whether the nodes disagree on where a node is, or cannot reach it where they think it is. When they agree and reach
 * it, their address stands, even if it is not the one by which it was asked: they may be behind a translation (NAT).
 */
function isDisputed(who: NodeReading, all: readonly NodeReading[]): boolean {
  const rows = all.flatMap((node) => (node === who ? [] : (rowOf(node, who) ?? [])));
  const addresses = new Set([...rows, who.self].map(({ host, port }) => `${host}:${port}`));
  return addresses.size > 1 || rows.some(({ linked }) => !linked);
}

function rowOf(node: NodeReading, other: NodeReading): NodeRow | undefined {
  return node.rows.find(({ id }) => id === other.self.id);
}

function isAt(row: NodeRow, { ip, name, port, busPort }: MeetAddress): boolean {
  return (row.host === ip || row.host === name) && row.port === port && row.busPort === busPort;
}

/** Fresh nodes all have epoch 0; distinct ones spare them the settling of collisions. Allowed before the first meeting only. */
function planEpochs(nodes: readonly NodeReading[]): Repair[] {
  const fresh = nodes.filter(({ self, rows }) => self.configEpoch === 0 && rows.length === 1);
  return fresh.length < nodes.length ? [] : fresh.map((on, index) => ({ kind: 'setEpoch', on, epoch: index + 1 }));
}

/**
 * Two groups that own the same slots must not meet as they are: the one with the earlier epoch would lose its slots
 * and delete their keys. Empty groups give way; two with data are for a person to sort out.
 */
function planResets(groups: readonly NodeReading[][]): Repair[] {
  const slotsOf = (group: readonly NodeReading[]): Set<number> =>
    new Set(group.flatMap(({ self }) => [...eachSlot(self.slots)]));
  const claims = groups.map(slotsOf);
  const rivals = groups.filter((_, index) =>
    claims.some((other, at) => at !== index && [...(claims[index] ?? [])].some((slot) => other.has(slot))),
  );
  if (rivals.length < 2) return [];
  const holdsData = (group: readonly NodeReading[]): boolean => group.some(({ keys }) => keys > 0);
  const withData = rivals.filter(holdsData);
  if (withData.length > 1) {
    const sides = withData.map((group) => group.map(({ meet }) => `${meet.ip}:${meet.port}`).join(' '));
    throw new FormationRefused(
      `These nodes belong to different clusters that own the same slots, and each holds data: ${sides.join(' | ')}. ` +
        'Joining them would delete keys; empty the nodes that are not wanted (FLUSHALL, CLUSTER RESET) and run this again.',
    );
  }
  const keep = withData[0] ?? rivals[0];
  return rivals
    .filter((group) => group !== keep)
    .flatMap((group) => group.map((on): Repair => ({ kind: 'reset', on })));
}
