/**
 * Whether a server without a connection to watch (Upstash: each command is a request of its own) can be reached.
 *
 * Three failures in a row with no answer between make it unavailable; then no command is let through, and one probe at
 * a time, with jitter and growing pauses (at most 5 s), finds out when it is back. One timer at most, and only while
 * it is not reachable.
 */
import { EventEmitter } from 'node:events';
import type { BackendEvents } from './backend.ts';

/** See the module's header. */
export interface Reachability {
  readonly events: EventEmitter<BackendEvents>;
  /** False until the first probe is answered. */
  readonly isReady: () => boolean;
  /** Why it is not reachable, when it is not. */
  readonly reason: Error | undefined;
  answered(): void;
  /** No answer came, for this reason. */
  missed(reason: Error): void;
  close(): void;
}

const missesToTrip = 3;
const shortestPauseMs = 100;
const longestPauseMs = 5000;

/** `probe` asks for a sign of life; it must end by itself. The first one leaves at once. */
export function createReachability({
  probe,
  random,
}: {
  probe: () => Promise<unknown>;
  random: () => number;
}): Reachability {
  const events = new EventEmitter<BackendEvents>();
  let state: 'unknown' | 'ready' | 'away' | 'closed' = 'unknown';
  let reason: Error | undefined;
  let misses = 0;
  let failedProbes = 0;
  let timer: NodeJS.Timeout | undefined;

  const away = (why: Error) => {
    reason = why;
    if (state === 'away' || state === 'closed') return;
    state = 'away';
    events.emit('unavailable', why);
  };
  const probeNow = () => {
    timer = undefined;
    probe().then(
      () => {
        if (state === 'closed') return;
        state = 'ready';
        misses = failedProbes = 0;
        reason = undefined;
        events.emit('ready');
      },
      (error: Error) => {
        away(error);
        probeLater();
      },
    );
  };
  const probeLater = () => {
    if (state === 'closed' || timer !== undefined) return;
    const pauseMs = Math.min(shortestPauseMs * 2 ** Math.min(failedProbes, 10), longestPauseMs) * (0.5 + random());
    failedProbes += 1;
    timer = setTimeout(probeNow, pauseMs);
    timer.unref();
  };
  probeNow();

  return {
    events,
    isReady: () => state === 'ready',
    get reason() {
      return reason;
    },
    answered: () => void (misses = 0),
    missed(why) {
      misses += 1;
      if (state !== 'ready' || misses < missesToTrip) return;
      away(why);
      probeLater();
    },
    close() {
      state = 'closed';
      clearTimeout(timer);
    },
  };
}
