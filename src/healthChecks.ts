/** Asks the parts how they are, quickly: Postgres at most once a second and with a deadline of its own. */
import type { Backends } from './backends.ts';
import type { Limiter } from './rateLimit/limiter.ts';
import type { CheckState, HealthChecks } from './routes/health.ts';

const pingDeadlineMs = 1000;
const keepMs = 1000;

/** See the module's header. `now` is in ms. */
export function createHealthChecks({
  database,
  migrations,
  redis,
  limiter,
  draining,
  now = () => performance.now(),
}: Pick<Backends, 'database' | 'migrations' | 'redis'> & {
  limiter: Limiter;
  draining: () => boolean;
  now?: () => number;
}): HealthChecks {
  let latest: { at: number; state: Promise<CheckState> } | undefined;

  const askPostgres = async (): Promise<CheckState> => {
    try {
      await database.ping(AbortSignal.timeout(pingDeadlineMs));
      return migrations.done ? 'up' : 'starting';
    } catch {
      return 'down';
    }
  };

  return {
    postgres() {
      if (latest === undefined || now() - latest.at > keepMs) latest = { at: now(), state: askPostgres() };
      return latest.state;
    },
    redis() {
      const { active, preferred } = redis.status();
      if (preferred === 'memory') return 'memory';
      if (!redis.isReady() || active === 'memory') return 'down';
      return active !== preferred || limiter.insured ? 'degraded' : 'up';
    },
    draining,
  };
}
