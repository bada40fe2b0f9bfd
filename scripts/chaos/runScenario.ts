/**
 * One scenario on one fresh cluster, with one group of callers at work in processes of their own.
 *
 * Invariants: whatever fails or is stopped, the callers, the service, the proxies and the nodes are ended. A caller
 * that cannot connect is left out and told.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EmbeddedRedisCluster } from '../../src/embedded/redisCluster.ts';
import { startChild, type Child } from '../bench/child.ts';
import { withTemporaryCluster } from '../bench/temporaryCluster.ts';
import type { Cable } from './cable.ts';
import type { CallerName, ChaosOptions } from './options.ts';
import { scenarios, type Scenario, type ScenarioName, type Stage } from './scenarios.ts';
import { startServiceProcess, type ServiceProcess } from './service.ts';
import { tollOf, type Toll } from './toll.ts';
import type { Answer, Ask } from './worker.ts';

/** What one caller felt in one scenario, or why it could not take part. */
export interface Felt {
  readonly scenario: ScenarioName;
  readonly caller: CallerName;
  readonly toll?: Toll;
  /** What /health said of Redis, change by change. */
  readonly health?: readonly string[];
  readonly leftOut?: string;
  /** How long this process, which idles meanwhile, was held up at most, in ms: what the machine itself adds. */
  readonly machineMs?: number;
}

type Callers = Map<CallerName, Child<Ask, Answer>>;

const connectTimeoutMs = 20_000;
/** Calls before the first disturbance: connections and code are warm. */
const warmUpSeconds = 3;

/** Runs `scenario` under the calls of `group`. */
export function runScenario(
  scenario: ScenarioName,
  group: readonly CallerName[],
  options: Pick<ChaosOptions, 'rate' | 'timeoutMs'>,
  signal: AbortSignal,
): Promise<Felt[]> {
  return withTemporaryCluster(signal, async (cluster) => {
    const play: Scenario = scenarios[scenario];
    const events: number[] = [];
    const stage: Stage = {
      cluster,
      signal,
      disturb: () => void events.push(performance.timeOrigin + performance.now()),
      wait: (seconds) => sleep(seconds * 1000, undefined, { signal }),
    };
    const children: Callers = new Map();
    const left: Felt[] = [];
    let service: ServiceProcess | undefined;
    let cable: Cable | undefined;
    try {
      cable = await play.prepare?.(stage);
      if (group.includes('http')) service = await startServiceProcess(cluster.nodes, signal);
      for (const caller of group) {
        const child = startChild<Ask, Answer>(new URL('./worker.js', import.meta.url), signal);
        children.set(caller, child);
        try {
          await child.ask(connecting(caller, cluster, service, options.timeoutMs), connectTimeoutMs);
        } catch (error) {
          signal.throwIfAborted();
          left.push({ scenario, caller, leftOut: (error as Error).message });
          children.delete(caller);
          await child.end();
        }
      }
      for (const child of children.values()) await child.ask({ kind: 'start', ...options }, connectTimeoutMs);
      await stage.wait(warmUpSeconds);
      const delays = monitorEventLoopDelay({ resolution: 5 });
      delays.enable();
      await play.run(stage, cable);
      delays.disable();
      const machineMs = delays.max / 1e6;
      const felt = await collect(scenario, children, events, options.timeoutMs);
      return [...felt.map((one) => ({ ...one, machineMs })), ...left];
    } finally {
      await Promise.all([...children.values()].map((child) => child.end()));
      await service?.end();
      await cable?.close();
    }
  });
}

function connecting(
  caller: CallerName,
  cluster: EmbeddedRedisCluster,
  service: ServiceProcess | undefined,
  timeoutMs: number,
): Ask {
  if (caller !== 'http') return { kind: 'connect', client: caller, nodes: cluster.nodes };
  if (service === undefined) throw new Error('the service does not run');
  return { kind: 'connect http', url: service.url, timeoutMs };
}

async function collect(
  scenario: ScenarioName,
  children: Callers,
  events: readonly number[],
  timeoutMs: number,
): Promise<Felt[]> {
  const endedAt = performance.timeOrigin + performance.now();
  const answers = [...children].map(async ([caller, child]): Promise<Felt> => {
    const { outcomes, health } = await child.ask({ kind: 'stop' }, timeoutMs + connectTimeoutMs);
    if (outcomes === undefined) return { scenario, caller, leftOut: 'it gave no outcomes' };
    return { scenario, caller, toll: tollOf(outcomes, events, endedAt), ...(health && { health }) };
  });
  return Promise.all(answers);
}
