/**
 * Latencies in buckets of fixed number, however many are recorded: eight to each doubling, from 1 µs to over a minute,
 * so that a quantile is right to an eighth. To record is an index and an addition.
 */

const bucketsPerDoubling = 8;
/** Up to 2^27 µs, 134 s; slower ones count into the last bucket. */
const bucketCount = 25 * bucketsPerDoubling;

/** See the module's header. */
export class LatencyHistogram {
  readonly #counts = new Float64Array(bucketCount);
  #total = 0;
  #sumMs = 0;

  /** How many were recorded. */
  get count(): number {
    return this.#total;
  }

  /** All recorded latencies together, in seconds: what Prometheus calls the sum. */
  get sumSeconds(): number {
    return this.#sumMs / 1000;
  }

  /** In seconds; 0 when nothing was recorded. */
  get mean(): number {
    return this.#total === 0 ? 0 : this.sumSeconds / this.#total;
  }

  record(ms: number): void {
    const index = bucketOf(ms);
    this.#counts[index] = (this.#counts[index] as number) + 1;
    this.#total += 1;
    this.#sumMs += ms;
  }

  /** The latency in seconds that the fraction `q` (0 to 1) of all stayed within; 0 when nothing was recorded. */
  quantile(q: number): number {
    if (this.#total === 0) return 0;
    const rank = Math.max(1, Math.ceil(q * this.#total));
    let seen = 0;
    for (let index = 0; index < bucketCount; index++) {
      seen += this.#counts[index] as number;
      if (seen >= rank) return upperBoundMicroseconds(index) / 1e6;
    }
    return upperBoundMicroseconds(bucketCount - 1) / 1e6;
  }

  /** How many took at most each of `boundsSeconds` (ascending), to the width of a bucket: a Prometheus histogram. */
  cumulative(boundsSeconds: readonly number[]): number[] {
    let index = 0;
    let seen = 0;
    return boundsSeconds.map((bound) => {
      while (index < bucketCount && upperBoundMicroseconds(index) <= bound * 1e6) {
        seen += this.#counts[index] as number;
        index += 1;
      }
      return seen;
    });
  }
}

/** Up to 8 µs a bucket each; above, the highest bit picks the doubling and the three below it the bucket in it. */
function bucketOf(ms: number): number {
  const microseconds = Math.min(Math.max(ms, 0) * 1000, 0x7fffffff) | 0;
  if (microseconds < bucketsPerDoubling) return microseconds;
  const doubling = 28 - Math.clz32(microseconds);
  const index = doubling * bucketsPerDoubling + (microseconds >> doubling);
  return index < bucketCount ? index : bucketCount - 1;
}

/** The first whole µs above the bucket. */
function upperBoundMicroseconds(index: number): number {
  if (index < 2 * bucketsPerDoubling) return index + 1;
  const doubling = Math.floor(index / bucketsPerDoubling) - 1;
  return ((index % bucketsPerDoubling) + bucketsPerDoubling + 1) * 2 ** doubling;
}
