/** Arithmetic on the 16,384 hash slots (Redis Cluster specification, "Key distribution model"). */

/** How many slots a cluster has. */
export const slotTotal = 16_384;

/** First and last slot, both included. */
export type SlotRange = readonly [first: number, last: number];

/** The number of slots in the ranges. */
export function countSlots(ranges: readonly SlotRange[]): number {
  return ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}

/** Every slot of the ranges, in their order. */
export function* eachSlot(ranges: readonly SlotRange[]): Generator<number> {
  for (const [first, last] of ranges) for (let slot = first; slot <= last; slot++) yield slot;
}

/** Joins ascending slots to ranges. */
export function toRanges(slots: readonly number[]): SlotRange[] {
  const ranges: [number, number][] = [];
  for (const slot of slots) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === slot - 1) last[1] = slot;
    else ranges.push([slot, slot]);
  }
  return ranges;
}

/** `0-5460 5462`, or `none`. */
export function formatSlots(ranges: readonly SlotRange[]): string {
  if (ranges.length === 0) return 'none';
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(' ');
}

/** Slots that master number `index` of `masters` holds in a balanced cluster; the counts differ by one at most. */
export function fairShare(index: number, masters: number): number {
  const boundary = (at: number): number => Math.round((at * slotTotal) / masters);
  return boundary(index + 1) - boundary(index);
}
