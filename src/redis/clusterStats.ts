/** What happened since the start, for the whole cluster and for each node. Bounded: by the nodes of the cluster. */
import { LatencyHistogram } from './latencyHistogram.ts';

/** One node's share. */
export interface NodeTally {
  /** Commands that it did not answer, or for which it could not be reached. */
  failures: number;
  /** A moving average in ms; 0 before its first answer. */
  recentLatencyMs: number;
  /** When it was last asked for a sign of life, in ms since 1970; undefined before. */
  lastHealthCheck: number | undefined;
}

/** How much a new latency moves the average: about the last thirty count. */
const weightOfNewest = 1 / 16;

/** See the module's header. */
export class ClusterStats {
  readonly latency = new LatencyHistogram();
  total = 0;
  successful = 0;
  failed = 0;
  retried = 0;
  readonly #tallies = new Map<string, NodeTally>();

  tallyOf(address: string): NodeTally {
    const known = this.#tallies.get(address);
    if (known !== undefined) return known;
    const made: NodeTally = { failures: 0, recentLatencyMs: 0, lastHealthCheck: undefined };
    this.#tallies.set(address, made);
    return made;
  }

  /** Notes an answer that took `ms` milliseconds. */
  answered(tally: NodeTally | undefined, ms: number): void {
    this.successful += 1;
    this.latency.record(ms);
    if (tally !== undefined) noteLatency(tally, ms);
  }

  /** Forgets nodes that have left. */
  retain(addresses: ReadonlySet<string>): void {
    for (const address of this.#tallies.keys()) if (!addresses.has(address)) this.#tallies.delete(address);
  }
}

/** Moves the node's average. */
export function noteLatency(tally: NodeTally, ms: number): void {
  tally.recentLatencyMs += (ms - tally.recentLatencyMs) * (tally.recentLatencyMs === 0 ? 1 : weightOfNewest);
}
