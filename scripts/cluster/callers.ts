/** Calls the running service at a steady, modest rate and writes down what each call got. */
import { Agent } from 'node:http';
import { sendOne } from '../loadTest/fire.ts';

/** What one call got. */
export interface CallOutcome {
  /** When it began, by performance.now(). */
  readonly at: number;
  readonly ms: number;
  /** HTTP status; `undefined` where none came. */
  readonly status: number | undefined;
}

/** Calls under way. */
export interface Callers {
  /** Stops calling, waits for the last answers, returns all outcomes in the order in which they began. */
  stop(): Promise<CallOutcome[]>;
}

const callTimeoutMs = 5000;
const mostUnderWay = 100;
const mostOutcomes = 20_000;

/** @param rate calls a second */
export function startCallers(url: URL, rate: number): Callers {
  const agent = new Agent({ keepAlive: true, maxSockets: mostUnderWay });
  const outcomes: CallOutcome[] = [];
  const underWay = new Set<Promise<void>>();
  const timer = setInterval(() => {
    if (underWay.size >= mostUnderWay || outcomes.length >= mostOutcomes) return;
    const one: Promise<void> = call(url, agent).then((outcome) => {
      outcomes.push(outcome);
      underWay.delete(one);
    });
    underWay.add(one);
  }, 1000 / rate);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(underWay);
      agent.destroy();
      return outcomes.sort((a, b) => a.at - b.at);
    },
  };
}

/** One GET; never rejects. */
export async function call(url: URL, agent?: Agent): Promise<CallOutcome> {
  const at = performance.now();
  const { status, ms } = await sendOne(url, agent, callTimeoutMs);
  return { at, ms, status: status === 0 ? undefined : status };
}

/** One line: how many calls, what they got, how many took over 100 ms. */
export function summarise(outcomes: readonly CallOutcome[]): string {
  const counts = new Map<string, number>();
  for (const { status } of outcomes) {
    const kind = status === undefined ? 'no answer' : `${status}`;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const kinds = [...counts].sort().map(([kind, count]) => `${count} × ${kind}`);
  const slow = outcomes.filter(({ ms }) => ms > 100).length;
  const worst = Math.max(0, ...outcomes.map(({ ms }) => ms));
  return `${outcomes.length} calls: ${kinds.join(', ')}; ${slow} over 100 ms, the slowest ${worst.toFixed(0)} ms`;
}
