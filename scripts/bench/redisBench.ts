/**
 * Measures the clients against the same six nodes, by turns: every round measures each client once at each operation
 * and load, so that a noisy minute of the machine meets all of them.
 *
 * Invariants: one client works at a time, in a process of its own; the order within a round turns by one from round to
 * round. A client that cannot connect is left out and told; one that fails midway ends the bench with its error.
 */
import type { NodeAddress } from '../../src/config/clusterNodes.ts';
import { startChild, type Child } from './child.ts';
import { clients, type ClientName } from './clients/all.ts';
import type { SliceResult } from './measure.ts';
import type { BenchOptions } from './options.ts';
import type { Answer, Ask } from './worker.ts';

/** One measured slice. */
export interface Measurement extends SliceResult {
  readonly client: ClientName;
  readonly operation: BenchOptions['operations'][number];
  readonly inFlight: number;
}

/** Everything that a run measured. */
export interface BenchRun {
  readonly measurements: readonly Measurement[];
  /** Clients that did not connect, and why. */
  readonly leftOut: readonly { readonly client: ClientName; readonly reason: string }[];
}

const connectTimeoutMs = 20_000;
/** On top of a slice's own length: its last answers, and the sorting of its latencies. */
const sliceGraceMs = 20_000;
const warmUpSeconds = 0.3;

/** Runs the bench; `onProgress` hears the share that is done. */
export async function runRedisBench(
  nodes: readonly NodeAddress[],
  options: BenchOptions,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (done: number, total: number) => void },
): Promise<BenchRun> {
  const children = new Map<ClientName, Child<Ask, Answer>>();
  const leftOut: { client: ClientName; reason: string }[] = [];
  const measurements: Measurement[] = [];
  try {
    for (const client of options.clients) {
      const child = startChild<Ask, Answer>(new URL('./worker.js', import.meta.url), signal);
      children.set(client, child);
      const connected = await child
        .ask({ kind: 'connect', client, nodes }, connectTimeoutMs)
        .catch((error: Error) => error);
      if (!(connected instanceof Error)) continue;
      signal.throwIfAborted();
      leftOut.push({ client, reason: connected.message });
      children.delete(client);
      await child.end();
    }
    const total = options.rounds * options.operations.length * options.inFlight.length * children.size;
    for (let round = 0; round < options.rounds; round++) {
      for (const operation of options.operations) {
        for (const inFlight of options.inFlight) {
          for (const [client, child] of turned([...children], round)) {
            const slice = { kind: 'measure', operation, inFlight } as const;
            const ask = async (seconds: number): Promise<SliceResult> => {
              const { result } = await child
                .ask({ ...slice, seconds }, seconds * 1000 + sliceGraceMs)
                .catch(named(client));
              if (result === undefined) throw new Error(`${client}: no result`);
              return result;
            };
            if (round === 0) await ask(warmUpSeconds);
            measurements.push({ client, operation, inFlight, ...(await ask(options.seconds)) });
            onProgress(measurements.length, total);
          }
        }
      }
    }
  } finally {
    await Promise.all([...children.values()].map((child) => child.end()));
  }
  return { measurements, leftOut };
}

function turned<T>(list: readonly T[], by: number): T[] {
  const start = by % Math.max(list.length, 1);
  return [...list.slice(start), ...list.slice(0, start)];
}

function named(client: ClientName): (error: Error) => never {
  return (error) => {
    throw new Error(`${clients[client].title}: ${error.message}`);
  };
}
