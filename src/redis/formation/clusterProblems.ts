/**
 * The verdict on a cluster: what is still wrong, node by node. An empty list on every node means that the cluster is
 * formed: `cluster_state:ok` alone is true of six masters without a replica, and of replicas that hold nothing yet.
 */
import type { NodeReading, SilentNode } from './nodeReading.ts';
import { isFailing, type NodeRow } from './nodeTable.ts';
import { countSlots, formatSlots, slotTotal } from './slots.ts';

/** What is wrong with or in the eyes of each node, in the order of the readings. */
export function findProblems(readings: readonly (NodeReading | SilentNode)[], replicas: number): string[][] {
  const answered = readings.filter((reading) => reading.answered);
  return readings.map((reading) => {
    if (!reading.answered) return [reading.reason];
    return [...ownProblems(reading, answered, replicas), ...tableProblems(reading, answered)];
  });
}

function ownProblems(node: NodeReading, all: readonly NodeReading[], replicas: number): string[] {
  const problems: string[] = [];
  if (node.state !== 'ok') problems.push(`cluster_state is ${node.state}`);
  if (node.slotsOk !== slotTotal) problems.push(`sees ${node.slotsOk} of ${slotTotal} slots served`);
  if (!node.shardsKnown) problems.push("has not heard of every replica's shard");
  if (node.role === 'replica') {
    if (node.link !== 'up') problems.push(`its copy is not complete (link to its master: ${node.link})`);
    const master = all.find(({ self }) => self.id === node.self.masterId);
    if (master !== undefined && countSlots(master.self.slots) === 0) problems.push('follows a node that owns no slots');
    return problems;
  }
  if (countSlots(node.self.slots) === 0) {
    const data = node.keys > 0 ? `, but holds ${node.keys} keys, which are not thrown away` : '';
    return [...problems, `is a master without slots${data}`];
  }
  const followers = all.filter(({ self, role }) => role === 'replica' && self.masterId === node.self.id);
  if (followers.length < replicas) problems.push(`has ${followers.length} of ${replicas} replicas`);
  return problems;
}

/** Compares one node's table with what each node says of itself. */
function tableProblems(node: NodeReading, all: readonly NodeReading[]): string[] {
  const problems: string[] = [];
  for (const other of all) {
    if (other === node) continue;
    const where = `${other.meet.ip}:${other.meet.port}`;
    const row = node.rows.find(({ id }) => id === other.self.id);
    if (row === undefined) problems.push(`does not know ${where}`);
    else problems.push(...rowProblems(row, other).map((problem) => `${problem} ${where}`));
  }
  const ids = new Set(all.map(({ self }) => self.id));
  for (const row of node.rows) {
    if (ids.has(row.id)) continue;
    if (row.flags.includes('handshake')) problems.push(`is still shaking hands with ${row.host}:${row.port}`);
    else if (isFailing(row) || row.flags.includes('noaddr')) problems.push(describeDead(row));
  }
  return problems;
}

function rowProblems(row: NodeRow, other: NodeReading): string[] {
  const problems: string[] = [];
  if (isFailing(row)) problems.push('takes for failed');
  if (row.flags.includes('noaddr') || row.flags.includes('handshake')) problems.push('has no address for');
  if (!row.linked) problems.push('has no link to');
  if (row.host !== other.self.host || row.port !== other.self.port) problems.push('has another address for');
  const role = row.flags.includes('master') ? 'master' : 'replica';
  if (role !== other.role || row.masterId !== other.self.masterId) problems.push('has not heard of the role of');
  else if (formatSlots(row.slots) !== formatSlots(other.self.slots)) problems.push('disagrees about the slots of');
  return problems;
}

function describeDead(row: NodeRow): string {
  const slots = countSlots(row.slots);
  const held = slots === 0 ? '' : ` that owns ${slots} slots (${formatSlots(row.slots)})`;
  return `remembers a dead node ${row.id.slice(0, 8)} (${row.host === '' ? 'no address' : `${row.host}:${row.port}`})${held}`;
}
