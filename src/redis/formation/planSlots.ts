/** Gives out the slots that nobody owns. */
import type { ClusterPicture } from './clusterPicture.ts';
import type { NodeReading } from './nodeReading.ts';
import type { Repair } from './repairs.ts';
import { fairShare, toRanges } from './slots.ts';

type AddSlots = Extract<Repair, { kind: 'addSlots' }>;

/**
 * Uncovered slots go to as many masters as the cluster should have, contiguous and balanced.
 * @param masters that should own slots
 */
export function planSlots(picture: ClusterPicture, masters: number): AddSlots[] {
  const uncovered = picture.owners.flatMap((owner, slot) => (owner === undefined ? [slot] : []));
  if (uncovered.length === 0) return [];
  const heirs = chooseHeirs(picture, masters);
  const shares = heirs.map((on, index) => {
    const wanted = fairShare(index, Math.max(masters, heirs.length));
    return { on, room: Math.max(0, wanted - (picture.slotCounts.get(on.self.id) ?? 0)) };
  });
  return shares.flatMap(({ on, room }, index): AddSlots[] => {
    const taken = uncovered.splice(0, index === shares.length - 1 ? uncovered.length : room);
    return taken.length === 0 ? [] : [{ kind: 'addSlots', on, slots: toRanges(taken) }];
  });
}

/** Masters that own slots already, then empty ones until there are enough, on as many hosts as possible. */
function chooseHeirs({ nodes, slotCounts }: ClusterPicture, masters: number): NodeReading[] {
  const owners = nodes.filter(({ self }) => slotCounts.has(self.id));
  const chosen = [...owners];
  const empty = nodes.filter(({ role, self, keys }) => role === 'master' && !slotCounts.has(self.id) && keys === 0);
  while (slotCounts.size - owners.length + chosen.length < masters && empty.length > 0) {
    const mastersOn = (node: NodeReading): number => chosen.filter(({ meet }) => meet.ip === node.meet.ip).length;
    const fewest = Math.min(...empty.map(mastersOn));
    const next = empty.findIndex((node) => mastersOn(node) === fewest);
    chosen.push(...empty.splice(next, 1));
  }
  return chosen;
}
