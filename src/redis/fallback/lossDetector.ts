/** Tells a backend that is lost as a whole from one that fails now and then, in a few numbers: see fallbackBackend.ts. */

/** One backend's recent commands. */
export interface LossDetector {
  /** The server answered, be it with an error reply. */
  answered(): void;
  /** No answer; true when it is lost: nothing else for `lossMs`, and `lossCommands` of them at least. */
  failed(): boolean;
  reset(): void;
}

/** `now` is in ms and must not go backwards. */
export function createLossDetector(options: { lossMs: number; lossCommands: number; now: () => number }): LossDetector {
  const { lossMs, lossCommands, now } = options;
  let failures = 0;
  let firstAt = 0;
  const reset = () => void (failures = 0);
  return {
    reset,
    answered: reset,
    failed() {
      if (failures === 0) firstAt = now();
      failures += 1;
      return failures >= lossCommands && now() - firstAt >= lossMs;
    },
  };
}
