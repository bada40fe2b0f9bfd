/**
 * Anomalies: each is raised once, lasts until it is resolved, and is resolved once.
 *
 * A rule looks at one subject (a node, the commands, the shards) and says `raise`, `clear` or `hold` (between the two
 * limits, or not known this time). Memory is bounded by what there is to watch: a subject that has left is resolved
 * and forgotten.
 */

/** What can be out of the ordinary. */
export type AnomalyKind = 'latency' | 'errors' | 'memory' | 'lag' | 'slots' | 'keys';

/** Every {@link AnomalyKind}. */
export const anomalyKinds: readonly AnomalyKind[] = ['latency', 'errors', 'memory', 'lag', 'slots', 'keys'];

/** One thing that is out of the ordinary. */
export interface Anomaly {
  readonly kind: AnomalyKind;
  /** A node's address, `commands`, or `cluster`. */
  readonly subject: string;
  /** In words, with the figures. */
  readonly message: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

/** What a rule saw. */
export interface Observation {
  readonly kind: AnomalyKind;
  readonly subject: string;
  readonly state: 'raise' | 'clear' | 'hold';
  readonly message: string;
}

/** What became of the anomalies with one check. */
export interface AnomalyChange {
  readonly raised: readonly Anomaly[];
  readonly resolved: readonly Anomaly[];
}

/** Keeps the active ones. */
export class ActiveAnomalies {
  readonly #active = new Map<string, Anomaly>();

  /** Those that last, oldest first. */
  list(): Anomaly[] {
    return [...this.#active.values()];
  }

  /** Takes in all observations of one check, made at `at` (ms since the epoch). */
  apply(observations: readonly Observation[], at: number): AnomalyChange {
    const seen = new Map(observations.map((observation) => [keyOf(observation), observation]));
    const resolved = [...this.#active].filter(([key]) => (seen.get(key)?.state ?? 'clear') === 'clear');
    for (const [key] of resolved) this.#active.delete(key);
    const raised: Anomaly[] = [];
    for (const [key, { kind, subject, state, message }] of seen) {
      if (state !== 'raise' || this.#active.has(key)) continue;
      const anomaly = { kind, subject, message, since: at };
      this.#active.set(key, anomaly);
      raised.push(anomaly);
    }
    return { raised, resolved: resolved.map(([, anomaly]) => anomaly) };
  }
}

function keyOf({ kind, subject }: Observation): string {
  return `${kind} ${subject}`;
}
