/** The chaos run's command line. */
import { parseArgs } from 'node:util';
import { number, oneOf } from '../bench/options.ts';
import { scenarioNames, type ScenarioName } from './scenarios.ts';

/** Who is watched: the service by HTTP, or a client library by itself. */
export const callers = ['http', 'sluice', 'ioredis', 'node-redis', 'valkey-glide'] as const;

/** See {@link callers}. */
export type CallerName = (typeof callers)[number];

/** What to run. */
export interface ChaosOptions {
  readonly scenarios: readonly ScenarioName[];
  readonly callers: readonly CallerName[];
  /** Calls a second, of each caller. */
  readonly rate: number;
  /** Longest wait for an answer, in ms. */
  readonly timeoutMs: number;
  /** Write docs/chaos.md. */
  readonly write: boolean;
}

/** Shown by --help. */
export const usage = `npm run chaos -- [options]

Breaks a Redis Cluster of its own in several ways while clients call it, and counts what they felt.

  --scenarios LIST   of ${scenarioNames.join(', ')}    (all)
  --callers LIST     of ${callers.join(', ')}    (all)
  --rate N           calls a second, of each caller                     (1000)
  --timeout MS       a call without an answer by then counts as failed  (5000)
  --no-write         leave docs/chaos.md as it is
`;

/**
 * Parses the arguments; `undefined` when help was asked for.
 * @throws {Error} naming the argument that is wrong.
 */
export function parseOptions(args: readonly string[]): ChaosOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    allowNegative: true,
    options: {
      scenarios: { type: 'string', default: scenarioNames.join() },
      callers: { type: 'string', default: callers.join() },
      rate: { type: 'string', default: '1000' },
      timeout: { type: 'string', default: '5000' },
      write: { type: 'boolean', default: true },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  return {
    scenarios: oneOf('--scenarios', values.scenarios, scenarioNames),
    callers: oneOf('--callers', values.callers, callers),
    rate: number('--rate', values.rate, 1, 5000, true),
    timeoutMs: number('--timeout', values.timeout, 100, 60_000, true),
    write: values.write,
  };
}
