/** What the load test prints. */
import type { Outcome } from './fire.ts';
import type { Verdict } from './verdict.ts';

const stripWidth = 65;
/** Longer runs are shown as totals only. */
const stripLimit = 650;

/** One sign a request, in the order of the answers: `.` allowed, `x` refused, `!` anything else. */
export function strip(outcomes: readonly Outcome[]): string {
  const signs = outcomes
    .map(({ status }) => (status >= 200 && status < 300 ? '.' : status === 429 ? 'x' : '!'))
    .join('');
  if (signs.length > stripLimit) return '';
  return `${signs.replaceAll(new RegExp(`.{${stripWidth}}(?=.)`, 'g'), '$&\n')}   (. allowed   x refused with 429   ! other)\n`;
}

/** Totals, latencies and the verdict. */
export function summary(outcomes: readonly Outcome[], verdict: Verdict, seconds: number): string {
  const { allowed, refused, other, faults, quota, windows } = verdict;
  const times = outcomes
    .filter(({ status }) => status !== 0)
    .map(({ ms }) => ms)
    .sort((a, b) => a - b);
  const errors = new Set(outcomes.flatMap(({ error }) => error ?? []));
  const lines = [
    `requests   ${outcomes.length} in ${seconds.toFixed(2)} s (${(outcomes.length / seconds).toFixed(0)}/s)`,
    `allowed    ${allowed}`,
    `refused    ${refused} with 429${retryRange(outcomes)}`,
    ...(other > 0
      ? [`other      ${other}${errors.size > 0 ? ` (${[...errors].slice(0, 3).join('; ')})` : statuses(outcomes)}`]
      : []),
    `latency    p50 ${at(times, 0.5)}   p95 ${at(times, 0.95)}   p99 ${at(times, 0.99)}   max ${at(times, 1)}`,
    faults.length === 0
      ? `limit      kept exactly: ${quota} requests a window, ${windows} window${windows === 1 ? '' : 's'}`
      : `limit      NOT kept: ${faults.join('; ')}`,
  ];
  return `${lines.join('\n')}\n`;
}

function statuses(outcomes: readonly Outcome[]): string {
  const codes = outcomes
    .map(({ status }) => status)
    .filter((status) => status !== 429 && (status < 200 || status >= 300));
  return ` (status ${[...new Set(codes)].join(', ')})`;
}

function retryRange(outcomes: readonly Outcome[]): string {
  const waits = outcomes.flatMap(({ retryAfter }) => retryAfter ?? []);
  if (waits.length === 0) return '';
  const [min, max] = [Math.min(...waits), Math.max(...waits)];
  return `, Retry-After ${min === max ? min : `${min} to ${max}`} s`;
}

function at(sorted: readonly number[], fraction: number): string {
  const value = sorted[Math.min(Math.floor(sorted.length * fraction), sorted.length - 1)];
  return value === undefined ? '–' : `${value.toFixed(1)} ms`;
}
