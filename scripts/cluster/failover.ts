/**
 * `npm run cluster -- failover`: takes a master away while the service is being called, and tells how long its shard
 * was out and what the callers saw. Killed nodes are started again, also after Ctrl-C; every wait is bounded.
 */
import { openEmbeddedRedisCluster, type EmbeddedRedisCluster } from '../../src/embedded/redisCluster.ts';
import { pause } from '../../src/deadline.ts';
import { readClusterView, type ClusterNodeView, type ClusterView } from '../../src/redis/formation/clusterView.ts';
import { formatAddress, NodeConnection, type NodeAccess } from '../../src/redis/formation/nodeConnection.ts';
import { parseNodeTable } from '../../src/redis/formation/nodeTable.ts';
import { call, startCallers, summarise, type CallOutcome } from './callers.ts';
import { startShardProbe } from './shardProbe.ts';
import { localOptions, type ClusterTarget } from './target.ts';
import { drawTopology } from './topology.ts';

/** What was asked for. */
export interface FailoverOptions {
  /** Base URL of the service. */
  readonly url: URL;
  /** Hand over by CLUSTER FAILOVER, nobody is killed. */
  readonly manual: boolean;
  /** Calls a second. */
  readonly rate: number;
  /** `host:port` of the master; otherwise the one that counts our own calls. */
  readonly node: string | undefined;
  readonly colour: boolean;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
}

const calmMs = 2000;
const takeoverTimeoutMs = 30_000;
const healTimeoutMs = 60_000;

/** The cluster with what is needed to speak to it; `local` when its processes are ours to kill. */
interface Drill {
  readonly access: NodeAccess;
  readonly look: () => Promise<ClusterView>;
  readonly local: EmbeddedRedisCluster | undefined;
}

/** @returns the exit code. @throws {Error} saying why no failover can be shown. */
export async function failover(target: ClusterTarget, options: FailoverOptions): Promise<number> {
  const { say, signal, url, rate } = options;
  const drill = await open(target, options.manual);
  const before = await drill.look();
  if (!before.healthy) {
    say(drawTopology(before, options.colour));
    throw new Error('the cluster is not healthy: repair it first (npm run cluster -- up)');
  }
  const health = new URL('/health', url);
  const isServed = (await call(new URL('/livez', url))).status !== undefined;
  if (isServed) await call(health);
  const victim = await chooseVictim(before, target.redis.keyPrefix, options.node, drill.access);
  say(
    isServed
      ? `calling ${health.href} ${rate} times a second\n`
      : `no service answers at ${url.origin}: counting on the shard itself\n`,
  );
  const callers = isServed ? startCallers(health, rate) : undefined;
  const probe = isServed ? undefined : await startShardProbe(before, victim, drill.access);
  let outage: Outage | undefined;
  try {
    await pause(calmMs, signal);
    outage = await takeAway(drill, victim, before, options);
    await pause(calmMs, signal);
  } finally {
    report(options, outage, await callers?.stop(), await probe?.stop());
    await bringBack(drill, victim, options);
  }
  const after = await drill.look();
  say(drawTopology(after, options.colour));
  return after.healthy ? 0 : 1;
}

async function open(target: ClusterTarget, manual: boolean): Promise<Drill> {
  const { redis } = target;
  if (redis.mode === 'cluster') {
    if (!manual)
      throw new Error('the nodes of REDIS_CLUSTER_NODES are not ours to kill; --manual hands a shard over instead');
    const { username, password, tls, reachVia, nodes } = redis;
    const access = { username, password, tls };
    return {
      access,
      local: undefined,
      look: () => readClusterView(nodes, { ...access, discover: true, reachVia }),
    };
  }
  const local = await openEmbeddedRedisCluster(await localOptions(target));
  if (local === undefined) throw new Error('no local cluster is running: npm run cluster -- up, or npm start');
  return { access: {}, local, look: () => local.view() };
}

/** Our own calls are one key; a failover elsewhere would not touch it. */
async function chooseVictim(
  { nodes }: ClusterView,
  keyPrefix: string,
  wanted: string | undefined,
  access: NodeAccess,
): Promise<ClusterNodeView> {
  const masters = nodes.filter(({ role, slotCount }) => role === 'master' && slotCount > 0);
  if (wanted !== undefined) {
    const found = masters.find(({ address }) => formatAddress(address) === wanted);
    if (found === undefined)
      throw new Error(
        `${wanted} is no master; these are: ${masters.map(({ address }) => formatAddress(address)).join(', ')}`,
      );
    return found;
  }
  for (const master of masters) if (await holdsKey(master, keyPrefix, access)) return master;
  const [first] = masters;
  if (first === undefined) throw new Error('the cluster has no master');
  return first;
}

async function holdsKey({ address }: ClusterNodeView, keyPrefix: string, access: NodeAccess): Promise<boolean> {
  const connection = new NodeConnection(address, access);
  try {
    const pattern = `${keyPrefix.replace(/[*?[\]\\]/g, '\\$&')}*`;
    const [, keys] = (await connection.call('SCAN', 0, 'MATCH', pattern, 'COUNT', 10_000)) as [string, string[]];
    return keys.length > 0;
  } finally {
    connection.close();
  }
}

/** From the loss of the master (performance.now()) until the others agreed on another one. */
interface Outage {
  readonly from: number;
  readonly to: number;
  readonly successor: string;
}

async function takeAway(
  drill: Drill,
  victim: ClusterNodeView,
  before: ClusterView,
  options: FailoverOptions,
): Promise<Outage> {
  const { say, manual, signal } = options;
  const others = before.nodes.filter(({ id }) => id !== victim.id);
  const witness = others.find(({ role, slotCount }) => role === 'master' && slotCount > 0);
  const heir = others.find(({ role, masterId }) => role === 'replica' && masterId === victim.id);
  if (witness === undefined || heir === undefined) throw new Error('the shard has no replica to take over');
  say(`${manual ? 'handing over' : 'killing (SIGKILL)'} master ${formatAddress(victim.address)}\n`);
  const from = performance.now();
  if (manual) await callOnce(heir, drill.access, 'CLUSTER', 'FAILOVER');
  else await drill.local?.kill(victim.address);
  const slot = victim.slots[0]?.[0] ?? 0;
  while (performance.now() - from < takeoverTimeoutMs) {
    const owner = await ownerOf(slot, witness, drill.access);
    if (owner !== undefined && owner.id !== victim.id)
      return { from, to: performance.now(), successor: `${owner.host}:${owner.port}` };
    await pause(manual ? 2 : 20, signal);
  }
  throw new Error(`no replica took over within ${takeoverTimeoutMs} ms`);
}

async function ownerOf(
  slot: number,
  witness: ClusterNodeView,
  access: NodeAccess,
): Promise<{ id: string; host: string; port: number } | undefined> {
  const table = parseNodeTable(String(await callOnce(witness, access, 'CLUSTER', 'NODES')));
  return table.find(({ slots }) => slots.some(([first, last]) => slot >= first && slot <= last));
}

async function callOnce(
  { address }: ClusterNodeView,
  access: NodeAccess,
  command: string,
  ...args: string[]
): Promise<unknown> {
  const connection = new NodeConnection(address, access);
  try {
    return await connection.call(command, ...args);
  } finally {
    connection.close();
  }
}

function report(
  options: FailoverOptions,
  outage: Outage | undefined,
  calls: CallOutcome[] | undefined,
  probe: string | undefined,
): void {
  const { say, manual } = options;
  if (outage !== undefined) {
    const seconds = ((outage.to - outage.from) / 1000).toFixed(2);
    say(
      `${manual ? 'the hand-over took' : 'the shard was out for'} ${seconds} s, then ${outage.successor} was its master\n`,
    );
  }
  const { from, to } = outage ?? { from: Infinity, to: Infinity };
  const phases = {
    before: calls?.filter(({ at }) => at < from),
    during: calls?.filter(({ at }) => at >= from && at < to),
    after: calls?.filter(({ at }) => at >= to),
  };
  for (const [phase, part] of Object.entries(phases)) {
    if (part !== undefined && part.length > 0) say(`  ${phase.padEnd(7)} ${summarise(part)}\n`);
  }
  if (probe !== undefined) say(`  ${probe}\n`);
}

/** Whatever happened, the killed node runs again at the end. */
async function bringBack(
  { local, look }: Drill,
  victim: ClusterNodeView,
  { manual, say }: FailoverOptions,
): Promise<void> {
  if (local !== undefined && !manual) {
    say(`starting ${formatAddress(victim.address)} again, as a replica\n`);
    await local.restart(victim.address);
  }
  const giveUpAt = performance.now() + healTimeoutMs;
  while (!(await look()).healthy && performance.now() < giveUpAt) await pause(100);
}
