/**
 * One circuit breaker (cockatiel's) for each node that commands go to, keyed by its address.
 *
 * Invariants: a breaker trips on `threshold` failures in a row, where a failure is an answer that did not come or a
 * connection that was not there, never an error reply (whoever answers is alive). While it is open nobody waits for
 * the node: every caller is refused at once, and the only one to try the node is our own probe, one at a time, every
 * `resetMs`. A breaker lives as long as its node is in the cluster; when a slot gets another owner, its commands meet
 * that owner's breaker at once.
 *
 * cockatiel keeps the states. Its `execute` is asynchronous and costs several promises, so commands do not run inside
 * it: while it is closed, success and failure are reported to it (success is one assignment), and only probes run
 * inside.
 */
import { EventEmitter } from 'node:events';
import { circuitBreaker, CircuitState, ConsecutiveBreaker, handleAll, type CircuitBreakerPolicy } from 'cockatiel';

/** As in reports. */
export type BreakerState = 'closed' | 'open' | 'half-open';

/** `state`: a node's breaker changed; the reason where it opened. */
export interface ShardBreakerEvents {
  state: [address: string, state: BreakerState, reason: Error | undefined];
}

/** When to trip, when to try again. */
export interface ShardBreakerOptions {
  /** Failures in a row. */
  readonly threshold: number;
  /** Milliseconds from a trip to the first probe, and from probe to probe. */
  readonly resetMs: number;
}

/** What the breakers need: `probe` rejects while the node does not answer, and always ends within a deadline. */
export interface ShardBreakerDeps {
  readonly probe: (address: string) => Promise<unknown>;
}

const stateNames = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.Open]: 'open',
  [CircuitState.HalfOpen]: 'half-open',
  [CircuitState.Isolated]: 'open',
} as const satisfies Record<CircuitState, BreakerState>;

/** The breaker of one node. */
export class ShardBreaker {
  readonly address: string;
  readonly #deps: ShardBreakerDeps;
  readonly #options: ShardBreakerOptions;
  readonly #onChange: (state: BreakerState, reason: Error | undefined) => void;
  #failuresInARow!: ConsecutiveBreaker;
  #policy!: CircuitBreakerPolicy;
  #reportsUnderWay = 0;
  #lastFailure: Error | undefined;
  #probeTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    address: string,
    deps: ShardBreakerDeps,
    options: ShardBreakerOptions,
    onChange: (state: BreakerState, reason: Error | undefined) => void,
  ) {
    this.address = address;
    this.#deps = deps;
    this.#options = options;
    this.#onChange = onChange;
    this.#arm();
  }

  get state(): BreakerState {
    return stateNames[this.#policy.state];
  }

  /** Whether commands may be sent to the node. */
  get isClosed(): boolean {
    return this.#policy.state === CircuitState.Closed;
  }

  /** The node answered. */
  succeeded(): void {
    this.#failuresInARow.state = 0;
  }

  /** The node did not answer, or could not be reached. */
  failed(error: Error): void {
    // A burst of failures is as good as `threshold` of them.
    if (!this.isClosed || this.#reportsUnderWay >= this.#options.threshold) return;
    this.#lastFailure = error;
    this.#reportsUnderWay += 1;
    const reported = () => void (this.#reportsUnderWay -= 1);
    this.#policy.execute(() => Promise.reject(error)).then(reported, reported);
  }

  /** Closes it by hand. */
  reset(): void {
    if (this.isClosed) return this.succeeded();
    this.#arm();
    this.#onChange('closed', undefined);
  }

  /** Ends its probes. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#probeTimer);
  }

  #arm(): void {
    clearTimeout(this.#probeTimer);
    this.#probeTimer = undefined;
    this.#failuresInARow = new ConsecutiveBreaker(this.#options.threshold);
    const policy = circuitBreaker(handleAll, { halfOpenAfter: this.#options.resetMs, breaker: this.#failuresInARow });
    policy.onStateChange((state) => {
      // One that was replaced by a reset has nothing more to say.
      if (this.#closed || policy !== this.#policy) return;
      if (state === CircuitState.Open) this.#probeLater(policy);
      this.#onChange(stateNames[state], state === CircuitState.Open ? this.#lastFailure : undefined);
    });
    this.#policy = policy;
  }

  #probeLater(policy: CircuitBreakerPolicy): void {
    clearTimeout(this.#probeTimer);
    // One more ms: cockatiel reads the clock, whose milliseconds are not the timer's.
    this.#probeTimer = setTimeout(() => void this.#probe(policy), this.#options.resetMs + 1);
    this.#probeTimer.unref();
  }

  async #probe(policy: CircuitBreakerPolicy): Promise<void> {
    try {
      await policy.execute(async () => {
        try {
          await this.#deps.probe(this.address);
        } catch (error) {
          this.#lastFailure = error as Error;
          throw error;
        }
      });
    } catch {
      // Refused as too early (the clock was set back): the state has not changed, so nothing else plans a probe.
      if (!this.#closed && policy === this.#policy && policy.state === CircuitState.Open) this.#probeLater(policy);
    }
  }
}

/** The breakers of all nodes. */
export class ShardBreakers {
  readonly events = new EventEmitter<ShardBreakerEvents>();
  readonly #breakers = new Map<string, ShardBreaker>();
  readonly #deps: ShardBreakerDeps;
  readonly #options: ShardBreakerOptions;

  constructor(deps: ShardBreakerDeps, options: ShardBreakerOptions) {
    this.#deps = deps;
    this.#options = options;
    // Every client of a pool listens.
    this.events.setMaxListeners(0);
  }

  /** The node's breaker, made when it is first asked for. */
  of(address: string): ShardBreaker {
    const known = this.#breakers.get(address);
    if (known !== undefined) return known;
    const made = new ShardBreaker(address, this.#deps, this.#options, (state, reason) =>
      this.events.emit('state', address, state, reason),
    );
    this.#breakers.set(address, made);
    return made;
  }

  /** Undefined for a node to which nothing was sent yet. */
  stateOf(address: string): BreakerState | undefined {
    return this.#breakers.get(address)?.state;
  }

  /** Addresses of all breakers that are not closed. */
  notClosed(): string[] {
    return [...this.#breakers.values()].filter((breaker) => !breaker.isClosed).map(({ address }) => address);
  }

  /** Drops the breakers of nodes that are no longer in the cluster. */
  retain(addresses: ReadonlySet<string>): void {
    for (const [address, breaker] of this.#breakers) {
      if (addresses.has(address)) continue;
      breaker.close();
      this.#breakers.delete(address);
    }
  }

  /** Closes all by hand. */
  reset(): void {
    for (const breaker of this.#breakers.values()) breaker.reset();
  }

  close(): void {
    for (const breaker of this.#breakers.values()) breaker.close();
  }
}
