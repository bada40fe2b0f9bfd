/**
 * A value's own recent past in two numbers: a moving mean and how far values usually are from it. Fixed size.
 * What is out of the ordinary moves the baseline only slowly, so that an alert lasts, but a new normal becomes normal.
 */
export class Baseline {
  #mean = 0;
  #deviation = 0;
  #count = 0;

  /** Weight of an ordinary value: about the last ten count. */
  static readonly #weight = 0.2;
  static readonly #oddWeight = 0.02;
  static readonly #learning = 5;

  /** The moving mean. */
  get mean(): number {
    return this.#mean;
  }

  /** Above this a value is a jump: three times the mean, four usual deviations and `floor`; undefined while learning. */
  limit(floor: number): number | undefined {
    if (this.#count < Baseline.#learning) return undefined;
    return Math.max(floor, 3 * this.#mean, this.#mean + 4 * this.#deviation);
  }

  /** Takes a value in; `odd`: it was a jump. */
  add(value: number, odd: boolean): void {
    if (this.#count === 0) this.#mean = value;
    // The first few weigh as in a plain mean.
    const weight = odd ? Baseline.#oddWeight : Math.max(Baseline.#weight, 1 / (this.#count + 1));
    this.#deviation += weight * (Math.abs(value - this.#mean) - this.#deviation);
    this.#mean += weight * (value - this.#mean);
    this.#count = Math.min(this.#count + 1, Baseline.#learning);
  }
}
