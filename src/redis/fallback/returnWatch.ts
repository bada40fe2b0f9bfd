/**
 * Watches the backends that are better than the one in use, and says when one of them has been well for long enough to
 * return to: ready, and every probe answered. A probe reads a random key, so that on a cluster it asks another shard
 * each time. See fallbackBackend.ts.
 */
import type { RedisBackend } from '../backend.ts';

/** See the module's header. */
export interface ReturnWatch {
  /** Probes until {@link ReturnWatch.stop}; to start twice is to start once. */
  start(): void;
  stop(): void;
  /** Traffic has left this one: soon after a return to it, it must last twice as long the next time. */
  lost(backend: RedisBackend): void;
  /** It said that it cannot serve: it begins anew. */
  disturbed(backend: RedisBackend): void;
}

interface Record {
  wellSince: number | undefined;
  returnedAt: number | undefined;
  neededMs: number;
  probing: boolean;
}

/** `onWell` is called once a return; it moves traffic. `better` are the candidates, best first. */
export function createReturnWatch(
  deps: {
    better: () => readonly RedisBackend[];
    onWell: (backend: RedisBackend) => void;
    now: () => number;
    random: () => number;
  },
  { stableMs, longestStableMs, probeMs }: { stableMs: number; longestStableMs: number; probeMs: number },
): ReturnWatch {
  const { better, onWell, now, random } = deps;
  const records = new Map<RedisBackend, Record>();
  let timer: NodeJS.Timeout | undefined;

  const recordOf = (backend: RedisBackend): Record => {
    let record = records.get(backend);
    if (record === undefined) {
      record = { wellSince: undefined, returnedAt: undefined, neededMs: jittered(stableMs), probing: false };
      records.set(backend, record);
    }
    return record;
  };
  const jittered = (ms: number) => ms * (1 + random() / 2);

  const probe = async (backend: RedisBackend) => {
    const record = recordOf(backend);
    if (record.probing) return;
    record.probing = true;
    try {
      await backend.executeCommand('exists', `probe:${random().toString(36).slice(2)}`);
      record.wellSince ??= now();
    } catch {
      record.wellSince = undefined;
    } finally {
      record.probing = false;
    }
    // Traffic may have moved while the probe was on its way.
    if (timer === undefined || !better().includes(backend)) return;
    if (record.wellSince === undefined || now() - record.wellSince < record.neededMs) return;
    record.returnedAt = now();
    onWell(backend);
  };
  const round = () => {
    for (const backend of better()) {
      if (backend.isReady()) void probe(backend);
      else recordOf(backend).wellSince = undefined;
    }
  };

  return {
    start() {
      timer ??= setInterval(round, probeMs);
      timer.unref();
    },
    stop() {
      clearInterval(timer);
      timer = undefined;
    },
    lost(backend) {
      const record = recordOf(backend);
      const lastedMs = record.returnedAt === undefined ? Infinity : now() - record.returnedAt;
      const calm = lastedMs > 2 * longestStableMs;
      record.neededMs = calm ? jittered(stableMs) : Math.min(jittered(record.neededMs * 2), longestStableMs);
      record.wellSince = undefined;
    },
    disturbed(backend) {
      recordOf(backend).wellSince = undefined;
    },
  };
}
