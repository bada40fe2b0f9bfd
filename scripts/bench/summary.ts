/** From slices to lines of the table: medians over the rounds, and the ratio to the best other client. */
import { clients, type ClientName } from './clients/all.ts';
import type { Operation } from './clients/client.ts';
import type { Measurement } from './redisBench.ts';

/** One line of the table. */
export interface BenchLine {
  readonly client: ClientName;
  readonly operation: Operation;
  readonly inFlight: number;
  readonly perSecond: number;
  /** Of `perSecond` over the rounds, lowest and highest. */
  readonly range: readonly [number, number];
  /** In ms. */
  readonly p50: number;
  readonly p99: number;
  /** CPU seconds of the client's process for 100,000 commands. */
  readonly cpuPer100k: number;
  /** Over all rounds. */
  readonly failed: number;
  /** `perSecond` over that of the best other library, in any of its settings; NaN when there is no other. */
  readonly ratio: number;
}

/** One line a client, operation and load, in the order in which they were measured first. */
export function summarise(measurements: readonly Measurement[]): BenchLine[] {
  const groups = new Map<string, Measurement[]>();
  for (const one of measurements) {
    const group = groups.get(keyOf(one));
    if (group === undefined) groups.set(keyOf(one), [one]);
    else group.push(one);
  }
  const lines = [...groups.values()].map(lineOf);
  return lines.map((line) => ({ ...line, ratio: line.perSecond / bestOther(line, lines) }));
}

function keyOf({ operation, inFlight, client }: Measurement): string {
  return `${operation} ${inFlight} ${client}`;
}

function lineOf(slices: readonly Measurement[]): Omit<BenchLine, 'ratio'> {
  const [first] = slices as [Measurement];
  const rates = slices.map(({ done, seconds }) => done / seconds);
  return {
    client: first.client,
    operation: first.operation,
    inFlight: first.inFlight,
    perSecond: median(rates),
    range: [Math.min(...rates), Math.max(...rates)],
    p50: median(slices.map(({ p50 }) => p50)),
    p99: median(slices.map(({ p99 }) => p99)),
    cpuPer100k: median(slices.map(({ cpuSeconds, done }) => (cpuSeconds / done) * 100_000)),
    failed: slices.reduce((sum, { failed }) => sum + failed, 0),
  };
}

type Comparable = Pick<BenchLine, 'client' | 'operation' | 'inFlight' | 'perSecond'>;

function bestOther(line: Comparable, lines: readonly Comparable[]): number {
  const library = (client: ClientName): string | undefined => (clients[client] as { package?: string }).package;
  const others = lines.filter(
    ({ client, operation, inFlight }) =>
      operation === line.operation && inFlight === line.inFlight && library(client) !== library(line.client),
  );
  // Sluice is measured against the others, never they against it.
  const peers = others.filter(({ client }) => client !== 'sluice').map(({ perSecond }) => perSecond);
  return peers.length === 0 ? Number.NaN : Math.max(...peers);
}

/** The middle value; the mean of the two middle ones where there are two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle) - 1] ?? Number.NaN)) / 2;
}
