/** Draws a cluster the way a person would: masters with their slots, their replicas under them. */
import type { ClusterNodeView, ClusterView } from '../../src/redis/formation/clusterView.ts';
import { formatAddress } from '../../src/redis/formation/nodeConnection.ts';
import { formatSlots, slotTotal } from '../../src/redis/formation/slots.ts';

/** Lines of text, with a newline at the end. */
export function drawTopology({ nodes, healthy }: ClusterView, colour: boolean): string {
  const paint = (code: number, text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const masters = nodes.filter(({ role, slotCount }) => role === 'master' && slotCount > 0);
  const covered = masters.filter(({ answered }) => answered).reduce((sum, { slotCount }) => sum + slotCount, 0);
  const verdict = healthy ? paint(32, 'healthy') : paint(31, 'NOT healthy');
  const width = Math.max(...nodes.map(({ address }) => formatAddress(address).length));
  const line = (node: ClusterNodeView, branch: string): string[] => {
    const mark = node.problems.length === 0 ? paint(32, '●') : paint(31, node.answered ? '▲' : '✗');
    const name = formatAddress(node.address).padEnd(width + 3 - branch.length);
    const indent = ' '.repeat(branch.length + 2);
    return [
      `${branch}${mark} ${name}  ${describe(node)}`,
      ...node.problems.map((text) => paint(31, `${indent}! ${text}`)),
    ];
  };
  const shards = masters.sort(bySlot).flatMap((master) => {
    const replicas = nodes.filter(({ role, masterId }) => role === 'replica' && masterId === master.id);
    const branches = replicas.flatMap((replica, index) => line(replica, index === replicas.length - 1 ? '└─ ' : '├─ '));
    return [...line(master, ''), ...branches, ''];
  });
  const ids = new Set(masters.map(({ id }) => id));
  const loose = nodes.filter(
    (node) => !masters.includes(node) && !(node.role === 'replica' && ids.has(node.masterId ?? '')),
  );
  const strays = loose.length === 0 ? [] : ['in no shard:', ...loose.flatMap((node) => line(node, '')), ''];
  const head = `Redis Cluster: ${verdict}, ${nodes.length} nodes, ${covered} of ${slotTotal} slots served`;
  return `${[head, '', ...shards, ...strays].join('\n')}\n`;
}

function bySlot(a: ClusterNodeView, b: ClusterNodeView): number {
  return (a.slots[0]?.[0] ?? slotTotal) - (b.slots[0]?.[0] ?? slotTotal);
}

function describe(node: ClusterNodeView): string {
  const { role, slots, slotCount, link, keys, usedMemoryBytes, maxMemoryBytes } = node;
  const inSync = { up: 'in sync', syncing: 'copying', down: 'cut off' };
  const place = role === 'replica' ? inSync[link ?? 'down'] : `slots ${formatSlots(slots)} (${slotCount})`;
  if (!node.answered) return `${role.padEnd(7)}  ${role === 'replica' ? 'no answer' : `${place}, no answer`}`;
  const memory = `${megabytes(usedMemoryBytes, 1)}${maxMemoryBytes === 0 ? '' : ` of ${megabytes(maxMemoryBytes, 0)}`}`;
  return `${role.padEnd(7)}  ${place.padEnd(24)} ${`${keys}`.padStart(6)} ${keys === 1 ? 'key ' : 'keys'}  ${memory}`;
}

function megabytes(bytes: number, digits: number): string {
  return `${(bytes / 1_048_576).toFixed(digits)} MB`;
}
