/** Counts one backend's operations and how long they took, in memory of a fixed size. */
import type { BackendReport } from './backend.ts';
import { LatencyHistogram } from './latencyHistogram.ts';

/** See the module's header. */
export interface OperationTally {
  /** Runs `work` and counts its outcome; any rejection, a server's error reply included, is a failure. */
  measure<T>(work: () => Promise<T>): Promise<T>;
  /** One more command was sent a second time. */
  readonly retried: () => void;
  report(): Pick<BackendReport, 'uptimeSeconds' | 'operations' | 'latency'>;
}

/** `now` is in ms and must not go backwards. */
export function createOperationTally({ now = () => performance.now() }: { now?: () => number } = {}): OperationTally {
  const startedAt = now();
  const latency = new LatencyHistogram();
  const operations = { total: 0, successful: 0, failed: 0, retried: 0 };
  return {
    async measure(work) {
      const begunAt = now();
      let outcome: 'successful' | 'failed' = 'failed';
      operations.total += 1;
      try {
        const result = await work();
        outcome = 'successful';
        return result;
      } finally {
        operations[outcome] += 1;
        latency.record(now() - begunAt);
      }
    },
    retried: () => void (operations.retried += 1),
    report: () => ({
      uptimeSeconds: (now() - startedAt) / 1000,
      operations: { ...operations },
      latency: {
        p50: latency.quantile(0.5),
        p95: latency.quantile(0.95),
        p99: latency.quantile(0.99),
        avg: latency.mean,
      },
    }),
  };
}
