/** Deals with nodes that are remembered but gone. */
import type { ClusterPicture, DeadNode } from './clusterPicture.ts';
import type { Repair } from './repairs.ts';

/** Replicas of the dead take over where no vote can be held; the dead that own nothing any more are forgotten. */
export function planDead(picture: ClusterPicture): Repair[] {
  return [
    ...planTakeovers(picture),
    ...picture.dead.filter((dead) => mayForget(dead, picture)).flatMap((dead) => forget(dead, picture)),
  ];
}

/**
 * Two deaths that no vote follows, although the replicas have the data. A failover needs most of the masters that own
 * slots: with half of them dead, none is held. And a master whose wiped successor answers at its address is no longer
 * asked whether it lives, so nobody ever declares it dead. Every node has answered, so this is no partition with a
 * majority on the other side, unless live nodes exist that were not asked: then nothing is forced.
 */
function planTakeovers({ nodes, byId, slotCounts, dead, hasOthers }: ClusterPicture): Repair[] {
  if (hasOthers) return [];
  const voters = [...slotCounts.keys()].filter((id) => byId.has(id)).length;
  const hasMajority = voters * 2 > slotCounts.size;
  const unelected = dead.filter(
    ({ slotCount, replaced, agreed }) => slotCount > 0 && (!hasMajority || (replaced && !agreed)),
  );
  return unelected.flatMap(({ id }): Repair[] => {
    const heir = nodes.find(({ role, self }) => role === 'replica' && self.masterId === id);
    return heir === undefined ? [] : [{ kind: 'takeover', on: heir }];
  });
}

function mayForget({ id, slotCount, replaced }: DeadNode, { nodes, hasOthers }: ClusterPicture): boolean {
  // While a replica holds a copy, its failover comes first: forgetting the master would orphan that copy.
  if (slotCount > 0 && (!replaced || nodes.some(({ self }) => self.masterId === id))) return false;
  // Nodes beyond the list show that the list is not the whole cluster; the dead may be one of theirs, and return.
  return replaced || !hasOthers;
}

function forget({ id }: DeadNode, { nodes }: ClusterPicture): Repair[] {
  return nodes
    .filter(({ self, rows }) => rows.some((row) => row.id === id) && self.masterId !== id)
    .map((on) => ({ kind: 'forget', on, id }));
}
