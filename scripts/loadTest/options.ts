/** The load test's command line. */
import { parseArgs } from 'node:util';

/** What to send, where and how fast. */
export interface LoadTestOptions {
  readonly url: URL;
  readonly count: number;
  /** Requests under way at once. */
  readonly concurrency: number;
  /** Requests begun a second; undefined: as fast as answers come. */
  readonly rate: number | undefined;
  /** Wait for a fresh window when this address has already used some of its quota. */
  readonly wait: boolean;
  /** Milliseconds that one answer may take. */
  readonly timeoutMs: number;
}

/** Shown by --help. */
export const usage = `npm run load-test -- [options]

Sends rapid requests and checks that exactly as many pass as the limit allows.

  --url URL           what to request        (http://127.0.0.1:3000/health)
  --count N           how many requests      (65, at most 100000)
  --concurrency N     how many at once       (10, at most 500)
  --rate N            how many a second      (as fast as answers come)
  --timeout MS        longest wait for one   (5000)
  --no-wait           start now, even if this address has used some of its quota
`;

/**
 * Parses the arguments; `undefined` when help was asked for.
 * @throws {Error} naming the argument that is wrong.
 */
export function parseOptions(args: readonly string[], defaultPort: number): LoadTestOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    allowNegative: true,
    options: {
      url: { type: 'string', default: `http://127.0.0.1:${defaultPort}/health` },
      count: { type: 'string', default: '65' },
      concurrency: { type: 'string', default: '10' },
      rate: { type: 'string' },
      timeout: { type: 'string', default: '5000' },
      wait: { type: 'boolean', default: true },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  if (!URL.canParse(values.url) || !values.url.startsWith('http://')) throw new Error('--url must be an http:// URL');
  return {
    url: new URL(values.url),
    count: integer('--count', values.count, 100_000),
    concurrency: integer('--concurrency', values.concurrency, 500),
    rate: values.rate === undefined ? undefined : integer('--rate', values.rate, 10_000),
    wait: values.wait,
    timeoutMs: integer('--timeout', values.timeout, 60_000),
  };
}

function integer(name: string, text: string, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > max)
    throw new Error(`${name} must be a whole number from 1 to ${max}`);
  return value;
}
