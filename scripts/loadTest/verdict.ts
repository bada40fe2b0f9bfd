/** Was the limit kept exactly? */
import type { Outcome } from './fire.ts';

/** Totals and what is wrong with them; no `faults`: the limit was kept. */
export interface Verdict {
  readonly allowed: number;
  readonly refused: number;
  readonly other: number;
  /** Windows that began during the run. */
  readonly windows: number;
  readonly quota: number | undefined;
  readonly faults: readonly string[];
}

/**
 * In a window each request that passes sees another `remaining`: quota−1, quota−2, … 0, and only then is anyone
 * refused. So over the whole run no value may come more often than the one above it, the first one counts the
 * windows, and a refusal without a 0 before it came too early.
 *
 * `fresh` false: part of the first window was used before the run; the values above the highest one seen are taken
 * as used then.
 */
export function judge(outcomes: readonly Outcome[], fresh = true): Verdict {
  const allowed = outcomes.filter(({ status }) => status >= 200 && status < 300);
  const refused = outcomes.filter(({ status }) => status === 429);
  const other = outcomes.length - allowed.length - refused.length;
  const quota = outcomes.find((outcome) => outcome.quota !== undefined)?.quota;
  const faults: string[] = [];
  let windows = 0;

  if (other > 0) faults.push(`${other} requests were neither allowed nor refused`);
  if (quota === undefined) faults.push('no answer had a RateLimit-Policy field');
  else {
    const seen = Array.from({ length: quota }, () => 0);
    for (const { remaining } of allowed) {
      if (remaining !== undefined && remaining < quota) seen[remaining] = (seen[remaining] ?? 0) + 1;
    }
    const usedBefore = fresh ? 0 : quota - 1 - seen.findLastIndex((times) => times > 0);
    for (let value = quota - usedBefore; value < quota; value++) seen[value] = 1;
    windows = seen[quota - 1] ?? 0;
    const passed = allowed.length + usedBefore;
    const expected = Math.min(outcomes.length + usedBefore, quota);
    if (seen.some((times, value) => times > (seen[value + 1] ?? windows)))
      faults.push('two requests of one window saw the same count');
    if (passed > windows * quota) faults.push(`${passed} passed in ${windows} window(s) of ${quota}`);
    if (refused.length > 0 && seen[0] === 0) faults.push('a request was refused before the quota was used up');
    if (windows <= 1 && passed !== expected) faults.push(`${passed} passed, expected exactly ${expected}`);
  }
  if (refused.some(({ retryAfter }) => retryAfter === undefined)) faults.push('a 429 had no Retry-After');
  return { allowed: allowed.length, refused: refused.length, other, windows, quota, faults };
}
