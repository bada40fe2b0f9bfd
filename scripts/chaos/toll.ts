/** What a scenario cost one client. */
import type { Outcomes } from './openLoop.ts';

/** See the field names; times in ms unless said. */
export interface Toll {
  /** Those that were not over when the first disturbance began. */
  readonly calls: number;
  readonly failed: number;
  readonly over100: number;
  readonly over150: number;
  readonly worst: number;
  /**
   * From a disturbance to the end of the last half second in which over 1 % of the calls failed or took over 250 ms;
   * the longest of the scenario. Infinity: that was the scenario's last half second.
   */
  readonly secondsToFullService: number;
  /** The commonest failure, `undefined` without any. */
  readonly commonest: { readonly message: string; readonly count: number } | undefined;
}

const slowMs = 100;
const goalMs = 150;
/** Full service: what a busy machine adds to a call now and then does not count against a client. */
const [windowMs, servedMs, badShare] = [500, 250, 0.01];

/** @param events when the disturbances began, and `endedAt` when the calls did end, in ms since the epoch */
export function tollOf(outcomes: Outcomes, events: readonly number[], endedAt: number): Toll {
  const { at, ms, failure, errors } = outcomes;
  const counts = errors.map(() => 0);
  let [failed, over100, over150, worst] = [0, 0, 0, 0];
  let calls = 0;
  for (const [index, due] of at.entries()) {
    const took = ms[index] ?? 0;
    // Over before anything happened: the warm-up.
    if (due + took < (events[0] ?? 0)) continue;
    calls += 1;
    const kind = failure[index] ?? -1;
    if (kind >= 0) {
      failed += 1;
      counts[kind] = (counts[kind] ?? 0) + 1;
    }
    if (took > slowMs) over100 += 1;
    if (took > goalMs) over150 += 1;
    worst = Math.max(worst, took);
  }
  const most = counts.indexOf(Math.max(...counts));
  return {
    calls,
    failed,
    over100,
    over150,
    worst,
    secondsToFullService: fullService(outcomes, events, endedAt),
    commonest: failed === 0 ? undefined : { message: errors[most] ?? '', count: counts[most] ?? 0 },
  };
}

/** The longest way from a disturbance to full service, in seconds, before the next one began. */
function fullService({ at, ms, failure }: Outcomes, events: readonly number[], endedAt: number): number {
  const lasted = events.map((begin, index) => {
    const end = events[index + 1] ?? endedAt;
    const windows = Array.from({ length: Math.max(1, Math.ceil((end - begin) / windowMs)) }, () => ({
      calls: 0,
      bad: 0,
    }));
    for (const [call, due] of at.entries()) {
      const window = due < begin || due >= end ? undefined : windows[Math.floor((due - begin) / windowMs)];
      if (window === undefined) continue;
      window.calls += 1;
      if ((failure[call] ?? -1) >= 0 || (ms[call] ?? 0) > servedMs) window.bad += 1;
    }
    const last = windows.findLastIndex(({ calls, bad }) => bad > calls * badShare);
    return last === windows.length - 1 ? Infinity : ((last + 1) * windowMs) / 1000;
  });
  return Math.max(0, ...lasted);
}
