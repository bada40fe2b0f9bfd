/**
 * Decides what to do next about a cluster whose nodes all answer. Pure: readings in, repairs out.
 *
 * Invariants: no repair when the cluster is whole; roles that a failover has moved stay as they are; slots are given
 * out only when no node anywhere, dead or alive, owns them; a dead owner is given up only when another node answers
 * at its very address (its disk is gone) and no replica holds a copy.
 *
 * The stages follow one another, since each needs what the one before it has made true on every node: acquaintance,
 * then the dead, then slots and replicas.
 */
import { clusterPicture } from './clusterPicture.ts';
import type { NodeReading } from './nodeReading.ts';
import { planDead } from './planDead.ts';
import { planJoin } from './planJoin.ts';
import { planReplicas } from './planReplicas.ts';
import { planSlots } from './planSlots.ts';
import type { Repair } from './repairs.ts';

/**
 * @param replicas wanted for each master
 * @returns what to do in this round, in this order; empty when all that remains is to wait.
 * @throws {FormationRefused} when nothing can be done without the risk of losing data.
 */
export function planRepairs(nodes: readonly NodeReading[], replicas: number): Repair[] {
  const joining = planJoin(nodes);
  if (joining.length > 0) return joining;
  const picture = clusterPicture(nodes);
  const burials = planDead(picture);
  if (burials.length > 0) return burials;
  const slots = planSlots(picture, Math.floor(nodes.length / (1 + replicas)));
  const newOwners = slots.map(({ on }) => on);
  return [...slots, ...planReplicas(picture, newOwners, replicas)];
}
