/** Environment → one typed, frozen Config. Nothing else in Sluice reads the environment. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { z } from 'zod';
import { createAttempt } from './attempt.ts';
import { redisConfig, type RedisConfig } from './redisConfig.ts';
import { secretNames, settings } from './settings.ts';
import { trustedProxies, type TrustedProxies } from './trustedProxies.ts';

/** How Postgres is reached. */
export interface PostgresConfig {
  /** `undefined`: the embedded one. */
  readonly url: string | undefined;
  readonly poolSize: number;
  readonly connectTimeoutMs: number;
  readonly queryTimeoutMs: number;
}

/** How long tokens live and how passwords are hashed. */
export interface AuthConfig {
  /** `undefined`: made once and kept under the data directory. */
  readonly jwtSecret: string | undefined;
  readonly jwtIssuer: string;
  readonly jwtAudience: string;
  readonly accessTokenTtlSeconds: number;
  readonly refreshTokenTtlSeconds: number;
  readonly passwordMinLength: number;
  readonly bcryptCost: number;
  /** `undefined`: what the machine allows. */
  readonly hashConcurrency: number | undefined;
  readonly threadPoolSize: number;
  readonly hashQueueTimeoutMs: number;
}

/** The limit that every public route shares. */
export interface RateLimitConfig {
  readonly points: number;
  readonly durationSeconds: number;
  readonly ipv6Prefix: number;
  readonly redisDeadlineMs: number;
}

/** Everything that can be configured. */
export interface Config {
  readonly environment: 'development' | 'production' | 'test';
  /** Absolute path. */
  readonly dataDir: string;
  readonly http: {
    readonly host: string;
    readonly port: number;
    readonly trustedProxies: TrustedProxies;
    readonly requestTimeoutMs: number;
    readonly bodyLimitBytes: number;
    readonly shutdownDelayMs: number;
    readonly shutdownTimeoutMs: number;
  };
  /** `adminToken` undefined: admin routes are open, or refused in production. */
  readonly adminToken: string | undefined;
  readonly healthCheck: { readonly intervalMs: number; readonly timeoutMs: number };
  readonly log: { readonly level: string; readonly format: 'json' | 'pretty' | undefined };
  readonly auth: AuthConfig;
  readonly rateLimit: RateLimitConfig;
  readonly redis: RedisConfig;
  readonly postgres: PostgresConfig;
}

/** The environment cannot be used; `problems` has one line for each variable, with the fix. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The configuration is not valid:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

type Env = Readonly<Record<string, string | undefined>>;
type Values = z.infer<z.ZodObject<typeof settings>>;

/**
 * Parses and cross-checks the environment.
 * @throws {ConfigError} with every problem found, not only the first.
 */
export function loadConfig(env: Env): Config {
  const problems: string[] = [];
  const given = readSecretFiles(withoutEmpty(env), problems);
  const values = parseValues(given, problems);
  const attempt = createAttempt(problems);
  const proxies = attempt('TRUST_PROXY', () => trustedProxies(values.TRUST_PROXY));
  const { redis, problems: redisProblems } = redisConfig(values, given);
  problems.push(...redisProblems);
  if (values.NODE_ENV === 'production') problems.push(...productionProblems(values, redis));
  if (problems.length > 0 || proxies === undefined || redis === undefined) throw new ConfigError(problems);
  return deepFreeze(toConfig(values, proxies, redis));
}

/** Each variable by itself, so that one bad value does not hide the next; a bad one counts as not given. */
function parseValues(given: Env, problems: string[]): Values {
  const values = Object.entries(settings).map(([name, schema]) => {
    const parsed = schema.safeParse(given[name]);
    if (parsed.success) return [name, parsed.data];
    problems.push(...parsed.error.issues.map(({ message }) => `${name}: ${message}`));
    return [name, schema.safeParse(undefined).data];
  });
  return Object.fromEntries(values) as Values;
}

/** Secrets that stand in public examples; a production start refuses them. */
const publicSecrets = /change.?me|secret.?key|your.?secret|default|example|password|12345678/i;

function productionProblems(values: Values, redis: RedisConfig | undefined): string[] {
  const problems: string[] = [];
  if (values.JWT_SECRET === undefined) {
    problems.push('JWT_SECRET: is required in production (try: openssl rand -base64 48, or give JWT_SECRET_FILE)');
  } else if (publicSecrets.test(values.JWT_SECRET) || new Set(values.JWT_SECRET).size < 12) {
    problems.push('JWT_SECRET: looks like a placeholder; make one with: openssl rand -base64 48');
  }
  if (
    values.ADMIN_TOKEN !== undefined &&
    (publicSecrets.test(values.ADMIN_TOKEN) || new Set(values.ADMIN_TOKEN).size < 8)
  ) {
    problems.push('ADMIN_TOKEN: looks like a placeholder; make one with: openssl rand -hex 24');
  }
  if (values.DATABASE_URL === undefined) {
    problems.push('DATABASE_URL: is required in production, where no Postgres is embedded');
  }
  if (redis?.mode === 'embedded') {
    problems.push(
      'REDIS_CLUSTER_NODES: a Redis must be named in production, where none is embedded: this, REDIS_URL, REDIS_HOST or UPSTASH_REDIS_REST_URL',
    );
  }
  if (redis?.mode === 'upstash' && !redis.url.startsWith('https:')) {
    problems.push(
      'UPSTASH_REDIS_REST_URL: must start with https:// in production, as the token goes with each request',
    );
  }
  if (values.BCRYPT_COST < 10) problems.push('BCRYPT_COST: must be at least 10 in production');
  return problems;
}

function toConfig(values: Values, proxies: TrustedProxies, redis: RedisConfig): Config {
  return {
    environment: values.NODE_ENV,
    dataDir: resolve(values.DATA_DIR),
    http: {
      host: values.HOST ?? (values.NODE_ENV === 'production' ? '0.0.0.0' : '127.0.0.1'),
      port: values.PORT,
      trustedProxies: proxies,
      requestTimeoutMs: values.REQUEST_TIMEOUT_MS,
      bodyLimitBytes: values.BODY_LIMIT_BYTES,
      shutdownDelayMs: values.SHUTDOWN_DELAY_MS,
      shutdownTimeoutMs: values.SHUTDOWN_TIMEOUT_MS,
    },
    adminToken: values.ADMIN_TOKEN,
    healthCheck: { intervalMs: values.HEALTH_CHECK_INTERVAL_MS, timeoutMs: values.HEALTH_CHECK_TIMEOUT_MS },
    log: { level: values.LOG_LEVEL, format: values.LOG_FORMAT },
    auth: {
      jwtSecret: values.JWT_SECRET,
      jwtIssuer: values.JWT_ISSUER,
      jwtAudience: values.JWT_AUDIENCE,
      accessTokenTtlSeconds: values.ACCESS_TOKEN_TTL,
      refreshTokenTtlSeconds: values.REFRESH_TOKEN_TTL,
      passwordMinLength: values.PASSWORD_MIN_LENGTH,
      bcryptCost: values.BCRYPT_COST,
      hashConcurrency: values.HASH_CONCURRENCY,
      threadPoolSize: values.UV_THREADPOOL_SIZE,
      hashQueueTimeoutMs: values.HASH_QUEUE_TIMEOUT_MS,
    },
    rateLimit: {
      points: values.RATE_LIMIT_POINTS,
      durationSeconds: values.RATE_LIMIT_DURATION,
      ipv6Prefix: values.RATE_LIMIT_IPV6_PREFIX,
      redisDeadlineMs: values.RATE_LIMIT_REDIS_DEADLINE_MS,
    },
    redis,
    postgres: {
      url: values.DATABASE_URL,
      poolSize: values.DATABASE_POOL_SIZE,
      connectTimeoutMs: values.DATABASE_CONNECT_TIMEOUT_MS,
      queryTimeoutMs: values.DATABASE_QUERY_TIMEOUT_MS,
    },
  };
}

/** `NAME=` in an env file means "not set". */
function withoutEmpty(env: Env): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ''),
  );
}

/** Reads `NAME_FILE` into `NAME` for Docker and Kubernetes secrets. */
function readSecretFiles(env: Record<string, string>, problems: string[]): Record<string, string> {
  const result = { ...env };
  for (const name of secretNames) {
    const path = env[`${name}_FILE`];
    if (path === undefined) continue;
    if (env[name] !== undefined) {
      problems.push(`${name}: is set, and so is ${name}_FILE: keep one of the two`);
      continue;
    }
    try {
      result[name] = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
    } catch (error) {
      problems.push(`${name}_FILE: ${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})`);
    }
  }
  return result;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
