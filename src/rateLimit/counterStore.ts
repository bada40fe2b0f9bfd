/** What every store of counters promises; `tests/` holds all of them to it in one conformance suite. */

/** A key's window after it was counted. */
export interface WindowCount {
  /** Points used in this window, this request's included; goes on past the limit. */
  readonly consumedPoints: number;
  /** Milliseconds until the window ends; more than 0. */
  readonly msBeforeNext: number;
}

/**
 * Counts points by key in fixed windows that begin with a key's first request.
 * `consume` is atomic: of any number of concurrent calls in one window each sees another `consumedPoints`.
 * It rejects when the count was not made, or when it cannot be known whether it was.
 */
export interface CounterStore {
  consume(key: string, points: number): Promise<WindowCount>;
}
