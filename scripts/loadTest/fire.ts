/** Sends the requests and notes what came back. */
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LoadTestOptions } from './options.ts';

/** One request's outcome. `status` 0: no answer (`error` says why). */
export interface Outcome {
  readonly status: number;
  readonly ms: number;
  readonly error?: string;
  /** From `RateLimit-Policy`: the limit and the window in seconds. */
  readonly quota?: number;
  readonly windowSeconds?: number;
  /** From `RateLimit`: points left, and seconds until the window ends. */
  readonly remaining?: number;
  readonly resetSeconds?: number;
  readonly retryAfter?: number;
}

/** Sends `options.count` requests; `onOutcome` sees each as it arrives. Never rejects: failures are outcomes. */
export async function fire(options: LoadTestOptions, onOutcome: (outcome: Outcome) => void): Promise<Outcome[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: options.concurrency });
  const outcomes: Outcome[] = [];
  const startedAt = performance.now();
  let begun = 0;
  const worker = async () => {
    while (begun < options.count) {
      const index = begun++;
      if (options.rate !== undefined) {
        const dueIn = startedAt + (index * 1000) / options.rate - performance.now();
        if (dueIn > 0) await sleep(dueIn);
      }
      const outcome = await sendOne(options.url, agent, options.timeoutMs);
      outcomes.push(outcome);
      onOutcome(outcome);
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.concurrency, options.count) }, worker));
  agent.destroy();
  return outcomes;
}

/** One GET. */
export function sendOne(url: URL, agent: Agent | undefined, timeoutMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const startedAt = performance.now();
    const elapsed = () => performance.now() - startedAt;
    const fail = (error: Error) => resolve({ status: 0, ms: elapsed(), error: error.message });
    const outgoing = request(url, { ...(agent && { agent }), signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      response.resume();
      response.on('error', fail);
      response.on('end', () => {
        const policy = String(response.headers['ratelimit-policy'] ?? '');
        const limit = String(response.headers['ratelimit'] ?? '');
        const retryAfter = response.headers['retry-after'];
        resolve({
          status: response.statusCode ?? 0,
          ms: elapsed(),
          ...parameter('quota', policy, 'q'),
          ...parameter('windowSeconds', policy, 'w'),
          ...parameter('remaining', limit, 'r'),
          ...parameter('resetSeconds', limit, 't'),
          ...(retryAfter !== undefined && { retryAfter: Number(retryAfter) }),
        });
      });
    });
    outgoing.on('error', fail);
    outgoing.end();
  });
}

/** Reads `;q=30` of the first policy in a field. */
function parameter<Name extends string>(name: Name, field: string, key: string): Partial<Record<Name, number>> {
  const match = new RegExp(`;${key}=(\\d+)`).exec(field);
  return match ? ({ [name]: Number(match[1]) } as Record<Name, number>) : {};
}
