/**
 * Calls at a steady rate, whether or not earlier calls have been answered, and notes what each got.
 *
 * Invariants: a call's time counts from the moment when it was due, so a caller that stalls cannot hide its delay; a
 * call that has no answer after `timeoutMs` is noted as failed then, so at most rate × timeout calls are under way.
 */

/** What the calls got, one entry a call in each list, in the order in which they ended. */
export interface Outcomes {
  /** When it was due, in ms since the epoch. */
  readonly at: readonly number[];
  readonly ms: readonly number[];
  /** Index into `errors` of how it failed, or −1. */
  readonly failure: readonly number[];
  /** The first {@link mostErrors} different messages. */
  readonly errors: readonly string[];
}

/** Calls under way. */
export interface OpenLoop {
  /** Stops calling, waits for the last answers (at most `timeoutMs`). */
  stop(): Promise<Outcomes>;
}

const tickMs = 2;
const sweepMs = 250;
const mostOutcomes = 1_000_000;
const mostErrors = 20;

/** @param rate calls a second */
export function startOpenLoop(
  call: () => Promise<unknown>,
  { rate, timeoutMs }: { rate: number; timeoutMs: number },
): OpenLoop {
  const [at, ms, failure, errors]: [number[], number[], number[], string[]] = [[], [], [], []];
  const underWay = new Map<number, number>();
  const startedAt = clock();
  let begun = 0;

  const end = (id: number, error?: string): void => {
    const due = underWay.get(id);
    if (due === undefined) return;
    underWay.delete(id);
    at.push(due);
    ms.push(clock() - due);
    failure.push(error === undefined ? -1 : indexOf(errors, error));
  };
  const begin = (): void => {
    const id = begun++;
    underWay.set(id, startedAt + (id * 1000) / rate);
    call().then(
      () => end(id),
      (error: unknown) => end(id, error instanceof Error ? error.message : String(error)),
    );
  };
  const ticking = setInterval(() => {
    const due = Math.min(((clock() - startedAt) * rate) / 1000, mostOutcomes);
    while (begun < due) begin();
  }, tickMs);
  const sweeping = setInterval(() => {
    const before = clock() - timeoutMs;
    for (const [id, due] of underWay) {
      if (due > before) break;
      end(id, `no answer within ${timeoutMs} ms`);
    }
  }, sweepMs);
  return {
    async stop() {
      clearInterval(ticking);
      while (underWay.size > 0) await new Promise((resolve) => setTimeout(resolve, 10));
      clearInterval(sweeping);
      return { at, ms, failure, errors };
    },
  };
}

/** Monotonic, and comparable between the processes of one machine. */
function clock(): number {
  return performance.timeOrigin + performance.now();
}

function indexOf(errors: string[], message: string): number {
  // Ports, slots and the like would make each message another one.
  const text = message.split('\n', 1)[0]?.replaceAll(/\d+/g, '#').slice(0, 80) ?? '';
  const known = errors.indexOf(text);
  if (known !== -1) return known;
  return errors.length < mostErrors ? errors.push(text) - 1 : mostErrors - 1;
}
