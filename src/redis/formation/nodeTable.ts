/** Reads the table that a node keeps of its cluster: the answer to `CLUSTER NODES` (redis.io/commands/cluster-nodes). */
import type { SlotRange } from './slots.ts';

/** One line of a node's table: what it believes about one node. */
export interface NodeRow {
  readonly id: string;
  /** Empty where the address is not known: a fresh node's own line, or `noaddr`. */
  readonly host: string;
  readonly port: number;
  readonly busPort: number;
  readonly flags: readonly string[];
  /** The master's id when this node is a replica. */
  readonly masterId: string | undefined;
  readonly configEpoch: number;
  /** Whether the link to that node is up; always true for its own line. */
  readonly linked: boolean;
  readonly slots: readonly SlotRange[];
  /** Slots on the move between two nodes. */
  readonly openSlots: number;
}

/** Parses a whole table. */
export function parseNodeTable(text: string): NodeRow[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map(parseRow);
}

// <id> <ip:port@busPort[,hostname[,aux=…]]> <flags> <master> <ping> <pong> <epoch> <link> <slot>…
function parseRow(line: string): NodeRow {
  const [id, address, flags, master, , , epoch, link, ...slots] = line.trim().split(' ');
  if (id === undefined || address === undefined || flags === undefined || link === undefined) {
    throw new Error(`CLUSTER NODES has a line that cannot be read: ${line}`);
  }
  const [endpoint = '', busPort = ''] = (address.split(',')[0] ?? '').split('@');
  const colon = endpoint.lastIndexOf(':');
  return {
    id,
    host: endpoint.slice(0, colon),
    port: Number(endpoint.slice(colon + 1)),
    busPort: Number(busPort),
    flags: flags.split(',').filter((flag) => flag !== 'noflags'),
    masterId: master === '-' ? undefined : master,
    configEpoch: Number(epoch),
    linked: flags.includes('myself') || link === 'connected',
    slots: slots.filter((slot) => !slot.startsWith('[')).map(parseRange),
    openSlots: slots.filter((slot) => slot.startsWith('[')).length,
  };
}

function parseRange(text: string): SlotRange {
  const [first = '', last = first] = text.split('-');
  return [Number(first), Number(last)];
}

/** Whether the row says that the node does not answer, by majority (`fail`) or in the teller's own eyes (`fail?`). */
export function isFailing(row: NodeRow): boolean {
  return row.flags.includes('fail') || row.flags.includes('fail?');
}
