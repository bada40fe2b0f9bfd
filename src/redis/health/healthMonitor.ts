/**
 * Watches a Redis Cluster: asks every node at an interval, judges what it hears, and tells when that changes.
 *
 * Invariants: one check at a time; each ends within `timeoutMs`; memory is bounded by the number of nodes; after
 * `close()` no timer, connection or check is left. It reports by events and by `latest()`, and logs nothing.
 *
 * When a node is dead, frozen or refuses the password: it is a finding ("does not answer", with the reason), not an
 * exception. When all are: `unhealthy`. The monitor has connections of its own, so it sees the cluster while the
 * client does not, and its questions never wait behind the client's commands.
 */
import { EventEmitter } from 'node:events';
import { ActiveAnomalies, type Anomaly, type Observation } from './anomalies.ts';
import { balanceRules, CommandRules, NodeRules, type CommandFigures } from './anomalyRules.ts';
import { clusterFacts, type ClusterFacts } from './clusterFacts.ts';
import { createMembers, type MemberOptions } from './members.ts';
import { judge, type HealthStatus, type Verdict } from './verdict.ts';

/** What one check found. */
export interface ClusterHealth extends Verdict, ClusterFacts {
  /** Milliseconds since the epoch. */
  readonly checkedAt: number;
  readonly durationMs: number;
  /** Those that last. */
  readonly anomalies: readonly Anomaly[];
}

/**
 * `changed`: another status than before (`undefined`: the first check). `anomaly` and `resolved`: once each.
 * `failed`: a defect, in here or in a listener; the next check comes all the same.
 */
export interface HealthEvents {
  checked: [health: ClusterHealth];
  changed: [health: ClusterHealth, before: HealthStatus | undefined];
  anomaly: [anomaly: Anomaly];
  resolved: [anomaly: Anomaly];
  failed: [error: unknown];
}

/** See the module's header. */
export interface HealthMonitor {
  readonly events: EventEmitter<HealthEvents>;
  /** `undefined` before the first check has ended. */
  latest(): ClusterHealth | undefined;
  /** Checks now, or joins the check that runs. Never rejects; after `close()` it answers with what was last found. */
  checkNow(): Promise<ClusterHealth | undefined>;
  /** Something happened: check as soon as a second has passed since the last check. Cheap to call often. */
  checkSoon(): void;
  close(): Promise<void>;
}

/** What the monitor needs. */
export interface HealthMonitorDeps extends Omit<MemberOptions, 'timeoutMs'> {
  /** The client whose commands are watched for jumps in latency and errors. */
  readonly report?: (() => CommandFigures) | undefined;
  /** Milliseconds since the epoch. */
  readonly clock?: () => number;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
  readonly random?: () => number;
}

/** How it watches. */
export interface HealthMonitorOptions {
  /** From one check's end to the next one's start, ±10 %; 30,000 unless given. At most 5000 while it is not healthy. */
  readonly intervalMs?: number;
  /** Longest time of a check; 2000 unless given. */
  readonly timeoutMs?: number;
  /** Replicas that each master should have; 1 unless given. */
  readonly replicas?: number;
}

/** So that a recovery shows soon. */
const unwellIntervalMs = 5000;
const leastGapMs = 1000;

/** Starts with a check at once. */
export function createHealthMonitor(deps: HealthMonitorDeps, options: HealthMonitorOptions = {}): HealthMonitor {
  const { report, clock = Date.now, now = () => performance.now(), random = Math.random, ...access } = deps;
  const { intervalMs = 30_000, timeoutMs = 2000, replicas = 1 } = options;
  const events = new EventEmitter<HealthEvents>();
  const members = createMembers({ now }, { ...access, timeoutMs });
  const anomalies = new ActiveAnomalies();
  const commandRules = new CommandRules();
  const nodeRules = new Map<string, NodeRules>();
  let latest: ClusterHealth | undefined;
  let running: Promise<ClusterHealth | undefined> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let soon = false;
  let endedAt = -Infinity;

  const observe = (facts: ClusterFacts): Observation[] => {
    const addresses = new Set(facts.nodes.map(({ address }) => address));
    for (const address of nodeRules.keys()) if (!addresses.has(address)) nodeRules.delete(address);
    const perNode = facts.nodes.flatMap((node) => {
      const rules = nodeRules.get(node.address) ?? new NodeRules();
      nodeRules.set(node.address, rules);
      return rules.look(node);
    });
    return [...perNode, ...balanceRules(facts), ...(report === undefined ? [] : commandRules.look(report()))];
  };

  const check = async (): Promise<ClusterHealth | undefined> => {
    const startedAt = now();
    const readings = await members.readAll();
    if (closed) return latest;
    const facts = clusterFacts(readings, replicas, members.remembered);
    members.remember(facts.nodes);
    const { raised, resolved } = anomalies.apply(observe(facts), clock());
    const before = latest?.status;
    latest = {
      ...judge(facts),
      ...facts,
      checkedAt: clock(),
      durationMs: now() - startedAt,
      anomalies: anomalies.list(),
    };
    for (const anomaly of raised) events.emit('anomaly', anomaly);
    for (const anomaly of resolved) events.emit('resolved', anomaly);
    if (latest.status !== before) events.emit('changed', latest, before);
    events.emit('checked', latest);
    return latest;
  };

  const schedule = (): void => {
    clearTimeout(timer);
    if (closed || running !== undefined) return;
    const usual = latest?.status === 'healthy' ? intervalMs : Math.min(intervalMs, unwellIntervalMs);
    const ms = soon ? Math.max(0, endedAt + leastGapMs - now()) : usual * (0.9 + 0.2 * random());
    timer = setTimeout(() => void checkNow(), ms).unref();
  };
  const checkNow = (): Promise<ClusterHealth | undefined> => {
    if (closed) return Promise.resolve(latest);
    if (running !== undefined) return running;
    clearTimeout(timer);
    soon = false;
    running = check()
      .catch((error: unknown) => {
        events.emit('failed', error);
        return latest;
      })
      .finally(() => {
        running = undefined;
        endedAt = now();
        schedule();
      });
    return running;
  };

  void checkNow();
  return {
    events,
    latest: () => latest,
    checkNow,
    checkSoon() {
      if (soon) return;
      soon = true;
      schedule();
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      members.close();
      await running;
    },
  };
}
