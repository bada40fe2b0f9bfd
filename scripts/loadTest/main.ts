/** `npm run load-test`: proves the limit on a running service. Exit code 0: kept exactly; 1: not; 2: bad arguments. */
import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { SingleBar } from 'cli-progress';
import { fire, sendOne, type Outcome } from './fire.ts';
import { parseOptions, usage, type LoadTestOptions } from './options.ts';
import { strip, summary } from './report.ts';
import { judge } from './verdict.ts';

const say = (text: string) => process.stdout.write(text);

/**
 * The run's first request tells whether this address's window is fresh. If it is not, waits for its end, and the run
 * begins anew.
 */
async function firstOutcome({ url, timeoutMs }: LoadTestOptions): Promise<Outcome | undefined> {
  const agent = new Agent();
  const first = await sendOne(url, agent, timeoutMs);
  agent.destroy();
  if (first.status === 0)
    throw new Error(`${url.href} does not answer (${first.error}). Is the service running? npm start`);
  if (first.quota === undefined || first.resetSeconds === undefined || first.remaining === first.quota - 1)
    return first;
  say(
    `this address has used part of its quota: waiting ${first.resetSeconds} s for a fresh window (--no-wait starts now)\n`,
  );
  await sleep(first.resetSeconds * 1000 + 50);
  return undefined;
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2), Number(process.env['PORT'] ?? 3000));
  if (options === undefined) {
    say(usage);
    return 0;
  }
  const first = options.wait ? await firstOutcome(options) : undefined;
  const head = first === undefined ? [] : [first];
  say(`${options.count} requests to ${options.url.href}, ${options.concurrency} at once\n`);
  const bar = progressBar(options);
  bar?.start(options.count, head.length);
  const startedAt = performance.now();
  const rest = await fire({ ...options, count: options.count - head.length }, () => bar?.increment());
  bar?.stop();
  const outcomes = [...head, ...rest];
  const verdict = judge(outcomes, options.wait);
  say(strip(outcomes) + summary(outcomes, verdict, (performance.now() - startedAt) / 1000));
  return verdict.faults.length === 0 ? 0 : 1;
}

/** Runs of over a thousand requests or three seconds, where someone is watching. */
function progressBar({ count, rate }: LoadTestOptions): SingleBar | undefined {
  const long = count > 1000 || (rate !== undefined && count / rate > 3);
  if (!long || !process.stderr.isTTY) return undefined;
  return new SingleBar({ format: '{bar} {value}/{total}  {duration_formatted}', hideCursor: true });
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`load-test: ${(error as Error).message}\n`);
  process.exitCode = 2;
}
