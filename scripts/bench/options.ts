/** The benches' command line. */
import { parseArgs } from 'node:util';
import { clientNames, type ClientName } from './clients/all.ts';
import { operations, type Operation } from './clients/client.ts';

/** What to measure. */
export interface BenchOptions {
  readonly clients: readonly ClientName[];
  readonly operations: readonly Operation[];
  /** Commands in flight, one series each. */
  readonly inFlight: readonly number[];
  readonly rounds: number;
  /** Of one slice. */
  readonly seconds: number;
  /** Write docs/benchmarks.md and its chart. */
  readonly write: boolean;
}

/** Shown by --help. */
export const usage = `npm run bench -- redis [options]

Measures Redis Cluster clients against the same six nodes, by turns, each in a process of its own.

  --rounds N          how often each is measured; the medians are shown   (3)
  --seconds N         length of one measurement                          (0.8)
  --in-flight LIST    commands under way at once                         (1,64,512)
  --operations LIST   of set, get, incr                                  (all)
  --clients LIST      of ${clientNames.slice(0, 4).join(', ')},
                      ${clientNames.slice(4).join(', ')}    (all)
  --no-write          leave docs/benchmarks.md as it is
`;

/**
 * Parses the arguments; `undefined` when help was asked for.
 * @throws {Error} naming the argument that is wrong.
 */
export function parseOptions(args: readonly string[]): BenchOptions | undefined {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    allowNegative: true,
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '0.8' },
      'in-flight': { type: 'string', default: '1,64,512' },
      operations: { type: 'string', default: operations.join() },
      clients: { type: 'string', default: clientNames.join() },
      write: { type: 'boolean', default: true },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  if (positionals.length !== 1 || positionals[0] !== 'redis')
    throw new Error('say which bench: npm run bench -- redis');
  return {
    clients: oneOf('--clients', values.clients, clientNames),
    operations: oneOf('--operations', values.operations, operations),
    inFlight: values['in-flight'].split(',').map((text) => number('--in-flight', text, 1, 5000, true)),
    rounds: number('--rounds', values.rounds, 1, 99, true),
    seconds: number('--seconds', values.seconds, 0.05, 60, false),
    write: values.write,
  };
}

/** A list with commas between. @throws {Error} naming the entry that is not among `known`. */
export function oneOf<Name extends string>(flag: string, text: string, known: readonly Name[]): Name[] {
  const words = [...new Set(text.split(',').map((word) => word.trim()))];
  return words.map((word) => {
    const name = known.find((candidate) => candidate === word);
    if (name === undefined) throw new Error(`${flag}: "${word}" is not one of ${known.join(', ')}`);
    return name;
  });
}

/** A number within bounds. @throws {Error} naming the flag. */
export function number(flag: string, text: string, min: number, max: number, whole: boolean): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= min && value <= max && (!whole || Number.isInteger(value))) return value;
  throw new Error(`${flag} must be a ${whole ? 'whole ' : ''}number from ${min} to ${max}`);
}
