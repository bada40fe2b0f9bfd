/**
 * What the service stands on: Postgres, Redis and a signing secret. What the configuration names is used; what it
 * leaves out is embedded (never in production: loadConfig refuses that).
 */
import type { Config } from './config/loadConfig.ts';
import { patiently } from './deadline.ts';
import { lockDataDir } from './embedded/dataDirLock.ts';
import { embeddedJwtSecret } from './embedded/jwtSecret.ts';
import { startEmbeddedPostgres } from './embedded/postgres.ts';
import { embeddedServer, openRedis, type OpenedRedis, type Opening } from './openRedis.ts';
import { createDatabase, type Database } from './postgres/database.ts';
import { createMigrationLoop, type MigrationLoop } from './postgres/migrationLoop.ts';
import { untilMigrated } from './postgres/untilMigrated.ts';

/** Open and ready to use, or getting ready in the background. */
export interface Backends extends OpenedRedis {
  /** Refuses with `database_unavailable` until the migrations have run. */
  readonly database: Database;
  readonly migrations: Pick<MigrationLoop, 'done'>;
  readonly jwtSecret: string;
}

/** How long a start waits for the schema: the embedded Postgres has it at once, a remote one may be down. */
const schemaPatienceMs = 1000;

/** Opens all; each is noted in `closers` as soon as it is open. */
export async function openBackends(config: Config, deps: Opening): Promise<Backends> {
  const { closers, signal } = deps;
  const binary = await embeddedServer(config, deps.logger);
  const embedsSomething =
    config.postgres.url === undefined || config.redis.mode === 'embedded' || config.auth.jwtSecret === undefined;
  if (embedsSomething) {
    const lock = await lockDataDir(config.dataDir);
    closers.push('data directory', () => lock.release());
  }
  const jwtSecret = config.auth.jwtSecret ?? (await embeddedJwtSecret(config.dataDir));
  // Both take seconds when they are embedded: side by side. Both are waited for even if one fails, so that all that
  // was opened is known to `closers`.
  const [postgres, redis] = await Promise.allSettled([openPostgres(config, deps), openRedis(config, binary, deps)]);
  signal?.throwIfAborted();
  return { ...valueOf(postgres), ...valueOf(redis), jwtSecret };
}

function valueOf<T>(result: PromiseSettledResult<T>): T {
  if (result.status === 'rejected') throw result.reason;
  return result.value;
}

async function openPostgres(
  { postgres, dataDir }: Config,
  { logger, closers }: Opening,
): Promise<Pick<Backends, 'database' | 'migrations'>> {
  let url = postgres.url;
  if (url === undefined) {
    const embedded = await startEmbeddedPostgres({ dataDir, logger });
    closers.push('embedded postgres', () => embedded.close());
    url = embedded.url;
  }
  const database = createDatabase({ logger }, { ...postgres, url });
  closers.push('postgres', () => database.close());
  const migrations = createMigrationLoop({ database, logger });
  closers.push('migrations', () => migrations.close());
  await patiently(migrations.finished, schemaPatienceMs);
  return { database: untilMigrated(database, () => migrations.done), migrations };
}
