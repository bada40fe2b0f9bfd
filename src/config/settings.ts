/**
 * Every environment variable that Sluice reads: its type, its default and its documentation in one table.
 * `loadConfig.ts` parses with it, `envExample.ts` prints `.env.example` from it, and a test holds the two together.
 */
import { z } from 'zod';

/** The headings of `.env.example`, in their order. */
export const groups = {
  service: 'The service',
  auth: 'Accounts and tokens',
  rateLimit: 'Rate limit',
  redis: 'Redis (none of these set: an embedded 6-node cluster, or memory where no redis-server is installed)',
  postgres: 'Postgres (no DATABASE_URL: embedded, kept under DATA_DIR)',
} as const;

/** What `.env.example` prints beside a variable. */
export type SettingDoc = {
  readonly group: keyof typeof groups;
  readonly text: string;
  /** A value to show where there is no default. */
  readonly example?: string;
  /** The value may also be given as a file: `NAME_FILE=/run/secrets/name`. */
  readonly secret?: boolean;
};

const integer = (min: number, max: number) => {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.coerce.number({ error }).int({ error }).min(min, { error }).max(max, { error });
};
const duration = (defaultMs: number, maxMs = 600_000) => integer(1, maxMs).default(defaultMs);
const truth = z
  .enum(['true', 'false', '1', '0', 'yes', 'no'], { error: 'must be true or false' })
  .transform((word) => word === 'true' || word === '1' || word === 'yes');
const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

const doc = (group: SettingDoc['group'], text: string, more: Omit<SettingDoc, 'group' | 'text'> = {}): SettingDoc => ({
  group,
  text,
  ...more,
});

/** Name → schema. Units stand in the names (`_MS`) or in the text (s). */
export const settings = {
  NODE_ENV: z
    .enum(['development', 'production', 'test'])
    .default('development')
    .meta(doc('service', 'In production nothing is embedded and no secret has a default.')),
  HOST: z
    .string()
    .optional()
    .meta(doc('service', 'Address to listen on. Unset: 127.0.0.1, in production 0.0.0.0.', { example: '127.0.0.1' })),
  PORT: integer(0, 65_535).default(3000).meta(doc('service', 'TCP port to listen on; 0 picks a free one.')),
  DATA_DIR: z.string().default('.data').meta(doc('service', 'Where the embedded Postgres and Redis keep their files.')),
  TRUST_PROXY: list
    .default([])
    .meta(
      doc(
        'service',
        'Proxies whose X-Forwarded-For is believed: addresses, CIDR ranges, or loopback, linklocal, uniquelocal; or the number of proxies in front (1 to 9). Unset: none.',
        { example: '10.0.0.0/8,loopback' },
      ),
    ),
  REQUEST_TIMEOUT_MS: duration(10_000).meta(doc('service', 'A request that takes longer is answered with 503.')),
  BODY_LIMIT_BYTES: integer(256, 1_048_576).default(8192).meta(doc('service', 'Larger bodies are answered with 413.')),
  SHUTDOWN_DELAY_MS: integer(0, 600_000)
    .default(0)
    .meta(doc('service', 'After SIGTERM: how long to stay open, not ready, so that load balancers turn away.')),
  SHUTDOWN_TIMEOUT_MS: duration(15_000).meta(
    doc('service', 'After SIGTERM: requests in flight that are not done by then are cut.'),
  ),
  ADMIN_TOKEN: z
    .string()
    .min(16, { error: 'must have at least 16 characters (try: openssl rand -hex 24)' })
    .optional()
    .meta(
      doc(
        'service',
        'Bearer token for /api/admin, /api/consistency and /metrics. Unset: they are open, but in production refused.',
        { example: '<openssl rand -hex 24>', secret: true },
      ),
    ),
  HEALTH_CHECK_INTERVAL_MS: integer(100, 3_600_000)
    .default(30_000)
    .meta(doc('service', 'How often every node of the Redis Cluster is asked how it is.')),
  HEALTH_CHECK_TIMEOUT_MS: integer(100, 60_000)
    .default(2000)
    .meta(doc('service', 'Longest time of such a check; a node that has not answered by then counts as silent.')),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .meta(doc('service', 'The least important level that is logged.')),
  LOG_FORMAT: z
    .enum(['json', 'pretty'])
    .optional()
    .meta(doc('service', 'Unset: pretty in a terminal, json elsewhere.', { example: 'json' })),

  JWT_SECRET: z
    .string()
    .min(32, { error: 'must have at least 32 characters (try: openssl rand -base64 48)' })
    .optional()
    .meta(
      doc('auth', 'Signs access tokens (HS256). Unset: made once and kept under DATA_DIR; required in production.', {
        example: '<openssl rand -base64 48>',
        secret: true,
      }),
    ),
  JWT_ISSUER: z.string().min(1).default('sluice').meta(doc('auth', 'The iss claim, required of every token.')),
  JWT_AUDIENCE: z.string().min(1).default('sluice').meta(doc('auth', 'The aud claim, required of every token.')),
  ACCESS_TOKEN_TTL: integer(5, 86_400).default(900).meta(doc('auth', 'Life of an access token in seconds.')),
  REFRESH_TOKEN_TTL: integer(60, 31_536_000)
    .default(2_592_000)
    .meta(doc('auth', 'Life of a session, and so of its last refresh token, in seconds.')),
  PASSWORD_MIN_LENGTH: integer(8, 64).default(8).meta(doc('auth', 'Shorter passwords are refused, in characters.')),
  BCRYPT_COST: integer(4, 16)
    .default(12)
    .meta(doc('auth', 'Work factor of bcrypt; each step doubles the time. At least 10 in production.')),
  HASH_CONCURRENCY: integer(1, 64)
    .optional()
    .meta(
      doc(
        'auth',
        'Passwords hashed at once. Unset: what the cores and the thread pool allow, less one thread for DNS and files.',
        {
          example: '3',
        },
      ),
    ),
  UV_THREADPOOL_SIZE: integer(1, 1024)
    .default(4)
    .meta(
      doc('auth', "Threads of Node's pool, which hash passwords and do DNS and file work. Node reads it by itself."),
    ),
  HASH_QUEUE_TIMEOUT_MS: duration(2000).meta(
    doc('auth', 'A login that would wait longer for a hash is refused with 503 and Retry-After.'),
  ),

  RATE_LIMIT_POINTS: integer(1, 1_000_000)
    .default(30)
    .meta(doc('rateLimit', 'Requests that one client address may make in a window.')),
  RATE_LIMIT_DURATION: integer(1, 86_400).default(60).meta(doc('rateLimit', 'Length of a window in seconds.')),
  RATE_LIMIT_IPV6_PREFIX: integer(32, 128)
    .default(64)
    .meta(doc('rateLimit', 'IPv6 clients are counted by network of this prefix length.')),
  RATE_LIMIT_REDIS_DEADLINE_MS: integer(5, 5000)
    .default(75)
    .meta(
      doc(
        'rateLimit',
        'A count that Redis has not answered by then is made in this process instead. Upstash over the internet needs more.',
      ),
    ),

  REDIS_CLUSTER_NODES: z
    .string()
    .optional()
    .meta(
      doc('redis', 'Nodes of a Redis Cluster, host:port with commas between. The port may be left out (6379).', {
        example: 'redis-1:6379,redis-2:6380,[::1]:6381',
      }),
    ),
  REDIS_CLUSTER_USERNAME: z
    .string()
    .optional()
    .meta(doc('redis', 'ACL user of the cluster. Unset: the default user.', { example: 'sluice' })),
  REDIS_CLUSTER_PASSWORD: z
    .string()
    .optional()
    .meta(doc('redis', 'Password of the cluster.', { example: '<password>', secret: true })),
  REDIS_CLUSTER_TLS: truth.default(false).meta(doc('redis', 'Connect to the cluster by TLS.')),
  REDIS_CLUSTER_REACH_VIA: z
    .string()
    .optional()
    .meta(
      doc('redis', 'Reach every node at this host, at the port that it announces (published container ports).', {
        example: '127.0.0.1',
      }),
    ),
  REDIS_URL: z
    .string()
    .optional()
    .meta(
      doc(
        'redis',
        'A single Redis in place of the cluster (rediss:// for TLS), or beside it with REDIS_FALLBACK_TO_SINGLE.',
        {
          example: 'redis://:<password>@localhost:6379/0',
          secret: true,
        },
      ),
    ),
  REDIS_HOST: z
    .string()
    .optional()
    .meta(doc('redis', 'The single Redis by its parts, in place of REDIS_URL.', { example: 'localhost' })),
  // Kubernetes sets REDIS_PORT=tcp://… by itself where a service is named redis.
  REDIS_PORT: z
    .preprocess(
      (value) => (typeof value === 'string' && value.startsWith('tcp://') ? undefined : value),
      integer(1, 65_535).optional(),
    )
    .meta(doc('redis', 'Its port; 6379 unless given.', { example: '6379' })),
  REDIS_USERNAME: z
    .string()
    .optional()
    .meta(doc('redis', 'ACL user of the single Redis. Unset: the default user.', { example: 'sluice' })),
  REDIS_PASSWORD: z
    .string()
    .optional()
    .meta(doc('redis', 'Password of the single Redis.', { example: '<password>', secret: true })),
  REDIS_DB: integer(0, 9999)
    .optional()
    .meta(doc('redis', 'Database of the single Redis; 0 unless given.', { example: '0' })),
  REDIS_TLS: truth.optional().meta(doc('redis', 'Connect to the single Redis by TLS.', { example: 'true' })),
  UPSTASH_REDIS_REST_URL: z
    .string()
    .regex(/^https?:\/\/[^\s]+$/, { error: 'must start with https://' })
    .optional()
    .meta(doc('redis', 'Upstash in place of the cluster.', { example: 'https://<name>.upstash.io' })),
  UPSTASH_REDIS_REST_TOKEN: z
    .string()
    .optional()
    .meta(doc('redis', 'Token of the Upstash database.', { example: '<token>', secret: true })),
  REDIS_FALLBACK_TO_SINGLE: truth
    .default(false)
    .meta(doc('redis', 'When the whole cluster is lost, go on with the single Redis until it is back. Needs both.')),
  REDIS_FALLBACK_TO_MEMORY: truth
    .default(true)
    .meta(doc('redis', 'When every Redis is lost, go on in the memory of this process until one is back.')),
  REDIS_COMMAND_TIMEOUT_MS: integer(10, 60_000)
    .default(500)
    .meta(
      doc(
        'redis',
        'A command that Redis has not answered by then has failed. (Rate limits: RATE_LIMIT_REDIS_DEADLINE_MS.)',
      ),
    ),
  REDIS_KEY_PREFIX: z.string().max(64).default('sluice:').meta(doc('redis', 'Put before every key.')),
  EMBEDDED_REDIS: z
    .enum(['auto', 'cluster', 'memory'])
    .default('auto')
    .meta(
      doc(
        'redis',
        'auto: a local cluster where redis-server or valkey-server is installed, else memory. cluster: that or a start-up error. memory: counters in this process.',
      ),
    ),

  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, { error: 'must start with postgres:// or postgresql://' })
    .optional()
    .meta(
      doc('postgres', 'Connection string.', {
        example: 'postgres://sluice:<password>@localhost:5432/sluice',
        secret: true,
      }),
    ),
  DATABASE_POOL_SIZE: integer(1, 200).default(10).meta(doc('postgres', 'Connections held at most.')),
  DATABASE_CONNECT_TIMEOUT_MS: duration(3000).meta(
    doc('postgres', 'Longest wait for a connection, the wait for a free one included.'),
  ),
  DATABASE_QUERY_TIMEOUT_MS: duration(5000).meta(doc('postgres', 'Longest a query may run, on both sides.')),
} satisfies Record<string, z.ZodType>;

/** The variable's documentation. */
export function settingDoc(schema: z.ZodType): SettingDoc {
  return schema.meta() as unknown as SettingDoc;
}

/** The variables that may also be given as `NAME_FILE`. */
export const secretNames = Object.entries(settings)
  .filter(([, schema]) => settingDoc(schema).secret === true)
  .map(([name]) => name);
