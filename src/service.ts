/** The composition root: builds every part once, closes them in reverse order. */
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { createApp } from './app.ts';
import { createAccessTokens } from './auth/accessTokens.ts';
import { createAccounts } from './auth/accounts.ts';
import { createPasswordHasher, defaultHashConcurrency } from './auth/passwordHasher.ts';
import { createRefreshTokens } from './auth/refreshTokens.ts';
import { createSessions } from './auth/sessions.ts';
import { openBackends, type Backends } from './backends.ts';
import { createClosers, type Closers } from './closers.ts';
import type { Config } from './config/loadConfig.ts';
import { createHealthChecks } from './healthChecks.ts';
import { startHttpServer } from './http/server.ts';
import { composeMonitoring } from './monitoring.ts';
import type { Logger } from './observability/logger.ts';
import { createSessionsRepository } from './postgres/sessionsRepository.ts';
import { createUsersRepository } from './postgres/usersRepository.ts';
import { createBackendStore } from './rateLimit/backendStore.ts';
import { createClientKey, trustFunction } from './rateLimit/clientAddress.ts';
import { createLimiter, type Limiter } from './rateLimit/limiter.ts';
import { createMemoryStore } from './rateLimit/memoryStore.ts';
import { createRedisStore } from './rateLimit/redisStore.ts';
import { createAuthRoutes } from './routes/auth.ts';
import { createHealthRoute, createProbeRoutes } from './routes/health.ts';
import { createMetricsRoutes } from './routes/metrics.ts';
import { createOpenApiRoute } from './routes/openapi.ts';
import { createRedisHealthRoutes } from './routes/redisHealth.ts';

/** A running service. */
export interface Service {
  /** Where it listens, e.g. `http://127.0.0.1:3000`. */
  readonly url: string;
  /** Stops accepting, finishes the requests in flight, closes everything that was opened. */
  close(): Promise<void>;
}

/**
 * Starts everything and listens. What fails midway closes what was opened before.
 * @throws the signal's reason when it is aborted meanwhile.
 */
export async function startService(
  config: Config,
  { logger, signal }: { logger: Logger; signal?: AbortSignal },
): Promise<Service> {
  const closers = createClosers(logger);
  try {
    return await compose(config, logger, closers, signal);
  } catch (error) {
    await closers.closeAll(config.http.shutdownTimeoutMs);
    throw error;
  }
}

async function compose(config: Config, logger: Logger, closers: Closers, signal?: AbortSignal): Promise<Service> {
  const backends = await openBackends(config, { logger, closers, ...(signal && { signal }) });
  const limiter = composeLimiter(config, backends, logger);
  const auth = composeAuth(config, backends, logger, closers);
  const trusted = trustFunction(config.http.trustedProxies);
  let draining = false;
  const checks = createHealthChecks({ ...backends, limiter, draining: () => draining });
  const startedAt = performance.now();
  const monitoring = composeMonitoring(config, { backends, limiter, hasher: auth.hasher }, { logger, closers });

  const app = createApp({
    ...monitoring,
    logger,
    limiter,
    trusted,
    clientKey: createClientKey({ trusted, ipv6Prefix: config.rateLimit.ipv6Prefix }),
    requestTimeoutMs: config.http.requestTimeoutMs,
    probes: [createProbeRoutes(checks), createMetricsRoutes(monitoring)],
    routes: [
      createHealthRoute(checks, () => (performance.now() - startedAt) / 1000),
      createRedisHealthRoutes({ ...monitoring.health, fallback: () => backends.redis.status() }),
      createOpenApiRoute(),
      createAuthRoutes(auth, { bodyLimitBytes: config.http.bodyLimitBytes }),
    ],
  });
  signal?.throwIfAborted();
  const server = await startHttpServer(app, config.http);
  closers.push('http server', () => server.close(config.http.shutdownTimeoutMs));

  const { address, family, port } = server.address;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    async close() {
      draining = true;
      await sleep(config.http.shutdownDelayMs);
      await closers.closeAll(config.http.shutdownTimeoutMs + 1000);
    },
  };
}

/** On Redis with an insurance in memory; in memory alone where there is no Redis. */
function composeLimiter(
  { rateLimit, redis: { keyPrefix, fallbacks } }: Config,
  { redis, cluster }: Backends,
  logger: Logger,
): Limiter {
  const policy = { name: 'default', points: rateLimit.points, durationSeconds: rateLimit.durationSeconds };
  const memory = createMemoryStore({}, policy);
  if (redis.status().preferred === 'memory') return createLimiter({ store: memory }, policy);
  const options = { ...policy, deadlineMs: rateLimit.redisDeadlineMs };
  // A cluster that falls back to memory alone: the insurance is that memory, and does it for each shard by itself.
  const store =
    cluster !== undefined && fallbacks.single === undefined
      ? createRedisStore(cluster, { ...options, keyPrefix: `${keyPrefix}rate` })
      : createBackendStore(redis, { ...options, keyPrefix: 'rate' });
  const limiter = createLimiter({ store, insurance: memory }, policy);
  limiter.events.on('insured', (reason) => {
    logger.warn({ reason: reason.message }, 'rate limit: Redis does not answer; counting in this process');
  });
  limiter.events.on('restored', () => logger.info('rate limit: counting on Redis again'));
  return limiter;
}

function composeAuth({ auth }: Config, { database, jwtSecret }: Backends, logger: Logger, closers: Closers) {
  const hasher = createPasswordHasher(
    {},
    {
      cost: auth.bcryptCost,
      concurrency:
        auth.hashConcurrency ??
        defaultHashConcurrency({ cpus: availableParallelism(), threadPoolSize: auth.threadPoolSize }),
      queueTimeoutMs: auth.hashQueueTimeoutMs,
    },
  );
  closers.push('password hasher', () => hasher.close());
  const sessions = createSessions(
    {
      repository: createSessionsRepository(database),
      refreshTokens: createRefreshTokens({}, { secret: jwtSecret }),
      onReuse: (session) => logger.warn(session, 'a used refresh token came back: its session was ended'),
    },
    { ttlSeconds: auth.refreshTokenTtlSeconds },
  );
  const accounts = createAccounts(
    {
      database,
      users: createUsersRepository(database),
      sessions,
      hasher,
      onRehashFailed: (error) =>
        logger.warn({ err: error }, 'a password hash could not be renewed at the configured cost'),
    },
    { passwordMinLength: auth.passwordMinLength },
  );
  const accessTokens = createAccessTokens(
    {},
    { secret: jwtSecret, issuer: auth.jwtIssuer, audience: auth.jwtAudience, ttlSeconds: auth.accessTokenTtlSeconds },
  );
  return { accounts, sessions, accessTokens, hasher };
}
