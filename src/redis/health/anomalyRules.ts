/**
 * The rules by which a cluster is compared with its own recent past and with itself. Each limit stands here, with a
 * second one for "over" below it, so that a value that dances on the limit raises one alert and not fifty.
 */
import type { BackendReport } from '../backend.ts';
import type { Observation } from './anomalies.ts';
import { Baseline } from './baseline.ts';
import type { ClusterFacts, NodeFacts } from './clusterFacts.ts';

/** Figures of the client, since its start. */
export type CommandFigures = Pick<BackendReport, 'operations' | 'latency'>;

const percent = (ratio: number): string => `${(ratio * 100).toFixed(1)} %`;
const state = (raise: boolean, clear: boolean): Observation['state'] => (raise ? 'raise' : clear ? 'clear' : 'hold');

/** Used memory over its limit. */
const memoryLimit = { raise: 0.8, clear: 0.75 };

/** Memory over 80 % of the node's own limit. */
export function memoryRule({ address, figures }: NodeFacts): Observation {
  const ratio = figures === null ? undefined : (figures.memoryRatio ?? 0);
  const at = ratio === undefined ? 'hold' : state(ratio > memoryLimit.raise, ratio < memoryLimit.clear);
  return {
    kind: 'memory',
    subject: address,
    state: at,
    message: `${address} uses ${percent(ratio ?? 0)} of its memory limit`,
  };
}

/** Busiest over mean: 3 masters of a fresh cluster are at 1.0. */
const slotLimit = { raise: 1.25, clear: 1.2 };
const keyLimit = { raise: 2, clear: 1.8 };
/** With fewer keys than these on the mean master, an uneven share is chance. */
const leastMeanKeys = 1000;

/** Slots and keys that are not spread evenly over the masters that have slots. */
export function balanceRules({ nodes }: ClusterFacts): Observation[] {
  const masters = nodes.filter(({ role, slotCount }) => role === 'master' && slotCount > 0);
  if (masters.length === 0 || masters.some(({ figures }) => figures === null)) {
    return (['slots', 'keys'] as const).map((kind) => ({ kind, subject: 'cluster', state: 'hold', message: '' }));
  }
  const slots = unevenness(masters.map(({ address, slotCount }) => [address, slotCount]));
  const keys = unevenness(masters.map(({ address, figures }) => [address, figures?.keys ?? 0]));
  const enough = keys.mean >= leastMeanKeys;
  return [
    {
      kind: 'slots',
      subject: 'cluster',
      state: state(slots.ratio > slotLimit.raise, slots.ratio < slotLimit.clear),
      message: `${slots.name} has ${slots.ratio.toFixed(2)} times the mean number of slots`,
    },
    {
      kind: 'keys',
      subject: 'cluster',
      state: state(enough && keys.ratio > keyLimit.raise, !enough || keys.ratio < keyLimit.clear),
      message: `${keys.name} has ${keys.ratio.toFixed(2)} times the mean number of keys`,
    },
  ];
}

function unevenness(counts: readonly (readonly [name: string, count: number])[]): {
  name: string;
  ratio: number;
  mean: number;
} {
  const mean = counts.reduce((sum, [, count]) => sum + count, 0) / counts.length;
  const [name, most] = counts.reduce((a, b) => (b[1] > a[1] ? b : a), ['', 0]);
  return { name, mean, ratio: mean === 0 ? 1 : most / mean };
}

/** Under this a lag is what is on its way just now. */
const leastLagBytes = 64 * 1024;
const lagGrowths = 3;

/** A replica that falls further behind at each of several checks. */
export class LagRule {
  #last = 0;
  #growths = 0;
  #peak = 0;

  look({ address, lagBytes }: NodeFacts): Observation {
    const message = `${address} is ${lagBytes ?? 0} bytes behind its master and has fallen back ${this.#growths + 1} times in a row`;
    const observation = { kind: 'lag', subject: address, message } as const;
    if (lagBytes === null) return { ...observation, state: 'hold' };
    this.#growths = lagBytes > this.#last ? this.#growths + 1 : 0;
    this.#last = lagBytes;
    const raise = this.#growths >= lagGrowths && lagBytes >= leastLagBytes;
    this.#peak = raise ? Math.max(this.#peak, lagBytes) : this.#peak;
    const clear = lagBytes < Math.max(leastLagBytes, this.#peak / 2);
    if (clear) this.#peak = 0;
    return { ...observation, state: state(raise, clear) };
  }
}

/** Two of these in a row are a jump; one is a hiccup of the machine. */
const jumpsNeeded = 2;

/** A value that jumps against its own past. */
export class JumpRule {
  readonly #baseline = new Baseline();
  #jumps = 0;

  /** `floor`: never a jump below. `undefined` value: not known this time. */
  look(value: number | undefined, floor: number): { state: Observation['state']; usual: number } {
    const usual = this.#baseline.mean;
    if (value === undefined) return { state: 'hold', usual };
    const limit = this.#baseline.limit(floor);
    const odd = limit !== undefined && value > limit;
    this.#jumps = odd ? this.#jumps + 1 : 0;
    this.#baseline.add(value, odd);
    return { state: state(this.#jumps >= jumpsNeeded, !odd), usual };
  }
}

/** In ms: a node that answers a check in less is quick, whatever it does usually. */
const quickAnswerMs = 20;
/** In ms. */
const quickCommandMs = 2;
const leastErrorRate = 0.01;
/** With fewer commands between two checks no rate is drawn. */
const leastCommands = 20;

/** Latency and error rate of the client's commands, each between two checks. */
export class CommandRules {
  readonly #latency = new JumpRule();
  readonly #errors = new JumpRule();
  #before: { total: number; failed: number; answered: number; seconds: number } | undefined;

  look({ operations, latency }: CommandFigures): Observation[] {
    const { total, failed, successful: answered } = operations;
    // The mean is since the start: times the number of answers it gives their sum.
    const now = { total, failed, answered, seconds: latency.avg * answered };
    const before = this.#before ?? now;
    this.#before = now;
    const count = now.total - before.total;
    const answers = now.answered - before.answered;
    const ms = answers >= leastCommands ? (Math.max(0, now.seconds - before.seconds) / answers) * 1000 : undefined;
    const rate = count >= leastCommands ? (now.failed - before.failed) / count : undefined;
    const slow = this.#latency.look(ms, quickCommandMs);
    const failing = this.#errors.look(rate, leastErrorRate);
    return [
      {
        kind: 'latency',
        subject: 'commands',
        state: slow.state,
        message: `commands take ${(ms ?? 0).toFixed(2)} ms on average, usually ${slow.usual.toFixed(2)} ms`,
      },
      {
        kind: 'errors',
        subject: 'commands',
        state: failing.state,
        message: `${percent(rate ?? 0)} of the commands fail, usually ${percent(failing.usual)}`,
      },
    ];
  }
}

/** What is watched about one node over time. */
export class NodeRules {
  readonly #lag = new LagRule();
  readonly #answers = new JumpRule();

  look(node: NodeFacts): Observation[] {
    const { address, answerMs } = node;
    const slow = this.#answers.look(answerMs ?? undefined, quickAnswerMs);
    const message = `${address} takes ${(answerMs ?? 0).toFixed(1)} ms to answer a check, usually ${slow.usual.toFixed(1)} ms`;
    return [memoryRule(node), this.#lag.look(node), { kind: 'latency', subject: address, state: slow.state, message }];
  }
}
