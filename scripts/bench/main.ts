/**
 * `npm run bench -- redis`: Redis Cluster clients side by side. Exit code 0: measured; 1: it failed or was stopped;
 * 2: bad arguments.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { clients, type ClientName } from './clients/all.ts';
import type { ClientUnderTest } from './clients/client.ts';
import { drawChart } from './chart.ts';
import { parseOptions, usage, type BenchOptions } from './options.ts';
import { circumstances, commandLine, currentLoad, docsFolder, writeSection } from './page.ts';
import { runRedisBench, type BenchRun } from './redisBench.ts';
import { drawTable, markdownTable } from './report.ts';
import { summarise, type BenchLine } from './summary.ts';
import { installedServer, withTemporaryCluster } from './temporaryCluster.ts';

const say = (text: string): void => void process.stdout.write(text);
const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => stop.abort(new Error(`stopped by ${name}`)));
}

async function bench(options: BenchOptions): Promise<void> {
  const startedAt = performance.now();
  const load = currentLoad();
  say('starting six nodes …\n');
  const progress = process.stderr.isTTY
    ? (done: number, total: number): void => void process.stderr.write(`\r${done}/${total} measurements `)
    : (): void => undefined;
  const run = await withTemporaryCluster(stop.signal, ({ nodes }) =>
    runRedisBench(nodes, options, { signal: stop.signal, onProgress: progress }),
  );
  const lines = summarise(run.measurements);
  say(`\n${drawTable(lines)}${verdict(lines)}\n`);
  for (const { client, reason } of run.leftOut) say(`left out: ${client} (${reason})\n`);
  say(`took ${((performance.now() - startedAt) / 1000).toFixed(0)} s\n`);
  if (options.write && lines.length > 0) await write(options, run, lines, load);
}

async function write(options: BenchOptions, run: BenchRun, lines: readonly BenchLine[], load: number): Promise<void> {
  await writeFile(join(docsFolder, 'benchmarks-redis.svg'), drawChart(lines));
  const server = await installedServer();
  const named = await Promise.all(options.clients.map(describe));
  const section = [
    '## Redis Cluster clients',
    commandLine('bench', process.argv.slice(2)),
    circumstances(server, load),
    `Each client runs in a process of its own; they are measured by turns, ${options.rounds} rounds of ${options.seconds} s; ` +
      'the medians are shown. Random keys out of 100,000, values of 32 bytes. CPU is that of the client’s process with ' +
      'all its threads; the six nodes share the machine with it. "To best peer" compares with the fastest setting of ' +
      'any other library (Sluice not counted as a peer).',
    verdict(lines),
    '![Operations a second by client](benchmarks-redis.svg)',
    markdownTable(lines),
    named.join('\n'),
    ...run.leftOut.map(({ client, reason }) => `Left out: ${clients[client].title}: ${reason}.`),
  ];
  await writeSection(join(docsFolder, 'benchmarks.md'), '# Benchmarks\n', 'bench-redis', section.join('\n\n'));
  say('written: docs/benchmarks.md, docs/benchmarks-redis.svg\n');
}

async function describe(name: ClientName): Promise<string> {
  const client: ClientUnderTest = clients[name];
  return `- ${client.title}${client.package === undefined ? '' : ` (${client.package} ${await versionOf(client.package)})`}: ${client.settings}`;
}

/** Its package.json may be closed to imports, so it is looked up beside the package's main file. */
async function versionOf(name: string): Promise<string> {
  const main = createRequire(import.meta.url).resolve(name);
  const folder = main.slice(0, main.lastIndexOf(`node_modules/${name}/`) + `node_modules/${name}/`.length);
  const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string };
  return version;
}

/** The goals of issue 3, as measured. */
function verdict(lines: readonly BenchLine[]): string {
  const own = lines.filter(({ client }) => client === 'sluice');
  if (own.length === 0) return 'Sluice was not measured.';
  const fastest = own.reduce((best, line) => (line.perSecond > best.perSecond ? line : best));
  const ratios = own.map(({ ratio }) => ratio).filter((ratio) => !Number.isNaN(ratio));
  const least =
    ratios.length === 0
      ? ''
      : `; ratio to the best peer ${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
  return (
    `Sluice at its fastest: ${Math.round(fastest.perSecond).toLocaleString('en-US')} ${fastest.operation.toUpperCase()} a second ` +
    `with ${fastest.inFlight} in flight, p50 ${fastest.p50.toFixed(2)} ms, p99 ${fastest.p99.toFixed(2)} ms${least}.`
  );
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) say(usage);
  else {
    await bench(options).catch((error: Error) => {
      process.stderr.write(`bench: ${error.message}\n`);
      process.exitCode = 1;
    });
  }
} catch (error) {
  process.stderr.write(`bench: ${(error as Error).message}\n`);
  process.exitCode = 2;
}
