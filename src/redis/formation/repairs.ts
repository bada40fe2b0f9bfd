/** The steps that bring a cluster nearer to health: what each one is, and the command that carries it out. */
import type { MeetAddress, NodeReading } from './nodeReading.ts';
import { formatSlots, type SlotRange } from './slots.ts';

/** One command on one node. None of them can lose data: Redis itself refuses each where it could. */
export type Repair =
  | { readonly kind: 'setEpoch'; readonly on: NodeReading; readonly epoch: number }
  | { readonly kind: 'meet'; readonly on: NodeReading; readonly who: MeetAddress }
  | { readonly kind: 'addSlots'; readonly on: NodeReading; readonly slots: readonly SlotRange[] }
  | { readonly kind: 'replicate'; readonly on: NodeReading; readonly master: NodeReading }
  | { readonly kind: 'forget'; readonly on: NodeReading; readonly id: string }
  /** A replica takes its dead master's slots without a vote: only where so many masters are gone that none can be held. */
  | { readonly kind: 'takeover'; readonly on: NodeReading }
  /** Takes an empty node out of a cluster of its own; refused by Redis where a master holds keys. */
  | { readonly kind: 'reset'; readonly on: NodeReading };

/** The command and its arguments. */
export function repairCommand(repair: Repair): [string, ...(string | number)[]] {
  switch (repair.kind) {
    case 'setEpoch':
      return ['CLUSTER', 'SET-CONFIG-EPOCH', repair.epoch];
    case 'meet':
      return ['CLUSTER', 'MEET', repair.who.ip, repair.who.port, repair.who.busPort];
    case 'addSlots':
      return ['CLUSTER', 'ADDSLOTSRANGE', ...repair.slots.flat()];
    case 'replicate':
      return ['CLUSTER', 'REPLICATE', repair.master.self.id];
    case 'forget':
      return ['CLUSTER', 'FORGET', repair.id];
    case 'takeover':
      return ['CLUSTER', 'FAILOVER', 'TAKEOVER'];
    case 'reset':
      return ['CLUSTER', 'RESET', 'HARD'];
  }
}

/** For the log: `meet 10.0.0.3:6379`, `add slots 0-5460`, … */
export function describeRepair(repair: Repair): string {
  switch (repair.kind) {
    case 'setEpoch':
      return `set config epoch ${repair.epoch}`;
    case 'meet':
      return `meet ${repair.who.ip}:${repair.who.port}`;
    case 'addSlots':
      return `add slots ${formatSlots(repair.slots)}`;
    case 'replicate':
      return `replicate ${repair.master.meet.ip}:${repair.master.meet.port}`;
    case 'forget':
      return `forget ${repair.id}`;
    case 'takeover':
      return 'take over from its dead master';
    case 'reset':
      return 'reset (it is empty)';
  }
}
