/** Gives every master its replicas, on another host than its own where there is one. */
import type { ClusterPicture } from './clusterPicture.ts';
import type { NodeReading } from './nodeReading.ts';
import type { Repair } from './repairs.ts';

type Replicate = Extract<Repair, { kind: 'replicate' }>;

/**
 * @param newOwners masters that receive their first slots in this round
 * @param wanted replicas for each master
 */
export function planReplicas(picture: ClusterPicture, newOwners: readonly NodeReading[], wanted: number): Replicate[] {
  const { nodes, slotCounts } = picture;
  const ownsSlots = (id: string): boolean => slotCounts.has(id) || newOwners.some(({ self }) => self.id === id);
  const masters = nodes.filter(({ self }) => ownsSlots(self.id));
  if (masters.length === 0) return [];
  const followers = new Map(
    masters.map((master) => [master, nodes.filter(({ self }) => self.masterId === master.self.id)]),
  );
  const missing = masters.flatMap((master) => {
    const count = wanted - (followers.get(master)?.length ?? 0);
    return new Array<NodeReading>(Math.max(0, count)).fill(master);
  });
  const spare = nodes.filter((node) => isSpare(node, ownsSlots));
  // A replica too many serves better where there is none.
  const surplus = masters.flatMap((master) => (followers.get(master) ?? []).slice(wanted));
  const plan = pair([...spare, ...surplus], missing);
  // What is left over waits while a failover may still be under way: its shard will want the replica.
  const ownersAreHere = [...slotCounts.keys()].every((id) => picture.byId.has(id));
  const idle = ownersAreHere ? spare.slice(missing.length) : [];
  return [
    ...plan,
    ...idle.flatMap((on, index): Replicate[] => {
      const master = masters[index % masters.length];
      return master === undefined ? [] : [{ kind: 'replicate', on, master }];
    }),
  ];
}

/**
 * An empty master, or a replica of a node that owns no slots. A replica whose master is dead but still owns slots is
 * not spare: it holds the only copy.
 */
function isSpare({ role, self, keys }: NodeReading, ownsSlots: (id: string) => boolean): boolean {
  if (role === 'replica') return self.masterId !== undefined && !ownsSlots(self.masterId);
  return !ownsSlots(self.id) && keys === 0;
}

/** The first spare for the first master, and so on; then swaps as long as one takes a replica off its master's host. */
function pair(spare: readonly NodeReading[], masters: readonly NodeReading[]): Replicate[] {
  const pairs = masters.slice(0, spare.length).flatMap((master, index) => {
    const on = spare[index];
    return on === undefined ? [] : [{ kind: 'replicate' as const, on, master }];
  });
  const shared = (a: NodeReading, b: NodeReading): number => (a.meet.ip === b.meet.ip ? 1 : 0);
  for (const a of pairs) {
    for (const b of pairs) {
      const now = shared(a.on, a.master) + shared(b.on, b.master);
      const swapped = shared(b.on, a.master) + shared(a.on, b.master);
      if (swapped < now) [a.on, b.on] = [b.on, a.on];
    }
  }
  return pairs;
}
