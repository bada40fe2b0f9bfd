/**
 * One slice of a bench: as many commands as a client does in so many seconds with so many in flight.
 *
 * Invariants: a fixed number of callers, each waiting for its answer before it asks again (closed loop), so nothing
 * queues; latencies are kept in an array of fixed size.
 */
import type { MeasuredClient, Operation } from './clients/client.ts';

/** What to measure. */
export interface Slice {
  readonly operation: Operation;
  readonly inFlight: number;
  readonly seconds: number;
}

/** What one slice gave. */
export interface SliceResult {
  readonly done: number;
  readonly failed: number;
  readonly seconds: number;
  /** In ms, over the answered commands. */
  readonly p50: number;
  readonly p99: number;
  /** CPU seconds of the whole process, all its threads. */
  readonly cpuSeconds: number;
}

const keyCount = 100_000;
const mostLatencies = 4_000_000;
const value = 'v'.repeat(32);

let latencies: Float64Array<ArrayBuffer> | undefined;
let names: Record<'data' | 'counter', string[]> | undefined;

/** Measures; commands that fail are counted, never thrown. */
export async function measure(
  client: MeasuredClient,
  { operation, inFlight, seconds }: Slice,
  { now = () => performance.now(), random = Math.random } = {},
): Promise<SliceResult> {
  latencies ??= new Float64Array(mostLatencies);
  names ??= { data: keys('d'), counter: keys('c') };
  const [taken, pool] = [latencies, operation === 'incr' ? names.counter : names.data];
  const call = callOf(client, operation);
  let done = 0;
  let failed = 0;
  const cpuBefore = process.cpuUsage();
  const startedAt = now();
  const endAt = startedAt + seconds * 1000;
  const caller = async (): Promise<void> => {
    for (let begun = now(); begun < endAt;) {
      try {
        await call(pool[(random() * keyCount) | 0] as string);
        const ended = now();
        if (done < mostLatencies) taken[done] = ended - begun;
        done += 1;
        begun = ended;
      } catch {
        failed += 1;
        // A client that refuses at once must not spin.
        await new Promise((resolve) => setTimeout(resolve, 1));
        begun = now();
      }
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  const elapsed = (now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  const sorted = taken.subarray(0, Math.min(done, mostLatencies)).sort();
  return {
    done,
    failed,
    seconds: elapsed,
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    cpuSeconds: (user + system) / 1e6,
  };
}

function callOf(client: MeasuredClient, operation: Operation): (key: string) => Promise<unknown> {
  if (operation === 'set') return (key) => client.set(key, value);
  return operation === 'get' ? (key) => client.get(key) : (key) => client.incr(key);
}

function keys(kind: string): string[] {
  return Array.from({ length: keyCount }, (_, index) => `bench:${kind}:${index}`);
}

/** The value below which `fraction` of a sorted list lies; NaN for an empty one. */
export function percentile(sorted: ArrayLike<number>, fraction: number): number {
  return sorted[Math.min(Math.floor(sorted.length * fraction), sorted.length - 1)] ?? Number.NaN;
}
