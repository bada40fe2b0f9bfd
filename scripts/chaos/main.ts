/**
 * `npm run chaos`: what callers feel while a cluster breaks. Exit code 0: ran; 1: it failed or was stopped; 2: bad
 * arguments. The service is measured by itself, then the client libraries together: they meet the same event.
 */
import { join } from 'node:path';
import { circumstances, commandLine, currentLoad, docsFolder, writeSection } from '../bench/page.ts';
import { installedServer } from '../bench/temporaryCluster.ts';
import { parseOptions, usage, type CallerName, type ChaosOptions } from './options.ts';
import { drawTable, markdownTable, verdict } from './report.ts';
import { runScenario, type Felt } from './runScenario.ts';
import { scenarios } from './scenarios.ts';

const say = (text: string): void => void process.stdout.write(text);
const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => stop.abort(new Error(`stopped by ${name}`)));
}

async function chaos(options: ChaosOptions): Promise<void> {
  const { callers } = options;
  const groups = [callers.filter((name) => name === 'http'), callers.filter((name) => name !== 'http')];
  const felt: Felt[] = [];
  const load = currentLoad();
  for (const scenario of options.scenarios) {
    say(`\n${scenario}: ${scenarios[scenario].title}\n`);
    const results: Felt[] = [];
    for (const group of groups) {
      if (group.length > 0) results.push(...(await runScenario(scenario, group, options, stop.signal)));
    }
    results.sort((a, b) => order(callers, a) - order(callers, b));
    say(drawTable(results));
    felt.push(...results);
  }
  say(`\n${verdict(felt)}\n`);
  if (options.write) await write(options, felt, load);
}

function order(callers: readonly CallerName[], { caller }: Felt): number {
  return callers.indexOf(caller);
}

async function write(options: ChaosOptions, felt: readonly Felt[], load: number): Promise<void> {
  const section = [
    commandLine('chaos', process.argv.slice(2)),
    circumstances(await installedServer(), load),
    `Every client calls ${options.rate.toLocaleString('en-US')} times a second with random keys, answered or not (open loop); ` +
      'each scenario begins on a fresh cluster (cluster-node-timeout 2 s, cluster-require-full-coverage no). ' +
      'The service is measured alone: GET /health, rate limited, each request from another address. The libraries, with ' +
      'their default settings, do SET and GET by turns, all at the same time. A call counts from the moment when it was ' +
      `due; without an answer after ${options.timeoutMs / 1000} s it has failed. "To full service": from a disturbance ` +
      'to the end of the last half second in which over 1 % of the calls failed or took over 250 ms, the longest in the scenario. "Machine": how long an ' +
      'idle process was held up at most meanwhile; no caller can be better than that.',
    verdict(felt),
    ...options.scenarios.flatMap((name) => {
      const title = scenarios[name].title;
      return [
        `## ${title.charAt(0).toUpperCase()}${title.slice(1)}`,
        markdownTable(felt.filter(({ scenario }) => scenario === name)),
      ];
    }),
  ];
  await writeSection(join(docsFolder, 'chaos.md'), '# Chaos\n', 'chaos', section.join('\n\n'));
  say('written: docs/chaos.md\n');
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) say(usage);
  else {
    await chaos(options).catch((error: Error) => {
      process.stderr.write(`chaos: ${error.message}\n`);
      process.exitCode = 1;
    });
  }
} catch (error) {
  process.stderr.write(`chaos: ${(error as Error).message}\n`);
  process.exitCode = 2;
}
