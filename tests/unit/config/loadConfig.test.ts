import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, loadConfig } from '../../../src/config/loadConfig.ts';

const production = {
  NODE_ENV: 'production',
  JWT_SECRET: 'q7Yw2zKp9Lr4Tn6Vb8Xc1Md3Fg5Hj0Sa',
  DATABASE_URL: 'postgres://sluice:hunter2@db:5432/sluice',
  REDIS_CLUSTER_NODES: 'redis-1:6379,redis-2:6380',
};

function problems(env: Record<string, string>): readonly string[] {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('an empty environment', () => {
  it('is complete: everything is embedded and limited to 30 requests in 60 s', () => {
    const config = loadConfig({});
    expect(config.rateLimit).toMatchObject({ points: 30, durationSeconds: 60, ipv6Prefix: 64 });
    expect(config.redis.mode).toBe('embedded');
    expect(config.postgres.url).toBeUndefined();
    expect(config.http).toMatchObject({ port: 3000, host: '127.0.0.1' });
    expect(config.auth.bcryptCost).toBe(12);
  });

  it('cannot be changed after it was read', () => {
    const config = loadConfig({}) as { rateLimit: { points: number } };
    expect(() => (config.rateLimit.points = 99)).toThrow(TypeError);
  });
});

describe('a bad value', () => {
  it.each([
    ['PORT', '70000'],
    ['PORT', 'http'],
    ['RATE_LIMIT_POINTS', '0'],
    ['RATE_LIMIT_DURATION', '0.5'],
    ['BCRYPT_COST', '3'],
    ['NODE_ENV', 'prod'],
    ['LOG_LEVEL', 'loud'],
    ['DATABASE_URL', 'mysql://db/sluice'],
    ['JWT_SECRET', 'short'],
    ['ADMIN_TOKEN', 'fifteen-letters'],
    ['REDIS_CLUSTER_NODES', 'redis-1:0'],
    ['REDIS_CLUSTER_TLS', 'maybe'],
    ['TRUST_PROXY', 'true'],
    ['TRUST_PROXY', '0.0.0.0/0'],
    ['TRUST_PROXY', 'my-proxy'],
  ])('%s=%s is refused by name', (name, value) => {
    expect(problems({ [name]: value })).toEqual([expect.stringMatching(new RegExp(`^${name}: `))]);
  });

  it('is reported together with all others', () => {
    expect(problems({ PORT: 'x', BCRYPT_COST: 'y' })).toHaveLength(2);
  });

  it('never shows a secret', () => {
    expect(problems({ JWT_SECRET: 'hunter2', DATABASE_URL: 'hunter2' }).join()).not.toContain('hunter2');
  });
});

describe('an empty value', () => {
  it('means that the variable is not set', () => {
    expect(loadConfig({ PORT: '', REDIS_CLUSTER_NODES: '' }).http.port).toBe(3000);
  });
});

describe('cluster nodes', () => {
  const nodes = (env: Record<string, string>) => {
    const { redis } = loadConfig(env);
    return redis.mode === 'cluster' ? redis.nodes : [];
  };

  it('are read from a list, with IPv6 and default ports', () => {
    expect(nodes({ REDIS_CLUSTER_NODES: 'h1:6379, [::1]:6380 ,h3' })).toEqual([
      { host: 'h1', port: 6379 },
      { host: '::1', port: 6380 },
      { host: 'h3', port: 6379 },
    ]);
  });

  it('are read from numbered variables in the order of their numbers', () => {
    expect(
      nodes({ REDIS_NODE_10_HOST: 'c', REDIS_NODE_2_HOST: 'b', REDIS_NODE_2_PORT: '7001', REDIS_NODE_1_HOST: 'a' }),
    ).toEqual([
      { host: 'a', port: 6379 },
      { host: 'b', port: 7001 },
      { host: 'c', port: 6379 },
    ]);
  });

  it.each([
    ['h1:6379,,h2', '""'],
    ['h1:99999', '"h1:99999"'],
    ['::1:6379', 'brackets'],
    ['redis://h1:6379', '"redis://h1:6379"'],
    ['h1,h1:6379', 'twice'],
    [',', 'names no node'],
  ])('in a broken list %s are named in the error', (list, named) => {
    expect(problems({ REDIS_CLUSTER_NODES: list }).join()).toContain(named);
  });

  it('in both spellings at once are refused', () => {
    expect(problems({ REDIS_CLUSTER_NODES: 'h1', REDIS_NODE_1_HOST: 'h1' }).join()).toContain('keep one');
  });

  it('with a port and no host are refused', () => {
    expect(problems({ REDIS_NODE_3_PORT: '7003' }).join()).toContain('REDIS_NODE_3_HOST');
  });
});

describe('the Redis that is used', () => {
  const cluster = { REDIS_CLUSTER_NODES: 'h1' };
  const single = { REDIS_URL: 'redis://:pa%3Ass@h2:7000/3' };
  const upstash = { UPSTASH_REDIS_REST_URL: 'https://x.upstash.io', UPSTASH_REDIS_REST_TOKEN: 'token-of-upstash' };

  it('is a single one by its URL', () => {
    expect(loadConfig(single).redis).toMatchObject({
      mode: 'single',
      host: 'h2',
      port: 7000,
      db: 3,
      username: undefined,
      password: 'pa:ss',
      tls: false,
    });
    expect(loadConfig({ REDIS_URL: 'rediss://user@[::1]' }).redis).toMatchObject({
      mode: 'single',
      host: '::1',
      port: 6379,
      db: 0,
      username: 'user',
      tls: true,
    });
  });

  it('is a single one by its parts', () => {
    const env = { REDIS_HOST: 'h2', REDIS_PORT: '7001', REDIS_PASSWORD: 'p', REDIS_DB: '2', REDIS_TLS: 'true' };
    expect(loadConfig(env).redis).toMatchObject({
      mode: 'single',
      host: 'h2',
      port: 7001,
      password: 'p',
      db: 2,
      tls: true,
    });
    expect(loadConfig({ REDIS_HOST: 'h2' }).redis).toMatchObject({ mode: 'single', port: 6379, db: 0, tls: false });
  });

  it('is Upstash by its URL and token', () => {
    expect(loadConfig(upstash).redis).toMatchObject({
      mode: 'upstash',
      url: 'https://x.upstash.io',
      token: 'token-of-upstash',
    });
  });

  it('falls back to memory, and not to a single one, unless told otherwise', () => {
    expect(loadConfig({}).redis).toMatchObject({
      fallbacks: { single: undefined, memory: true },
      commandTimeoutMs: 500,
    });
    expect(loadConfig({ ...cluster, REDIS_FALLBACK_TO_MEMORY: 'false' }).redis.fallbacks.memory).toBe(false);
  });

  it('is the cluster, with the single one as its fallback, when both are named and the fallback is wanted', () => {
    const { redis } = loadConfig({ ...cluster, ...single, REDIS_FALLBACK_TO_SINGLE: 'true' });
    expect(redis.mode).toBe('cluster');
    expect(redis.fallbacks.single).toEqual({
      host: 'h2',
      port: 7000,
      db: 3,
      username: undefined,
      password: 'pa:ss',
      tls: false,
    });
  });

  it.each([
    [{ ...cluster, ...single }, /^REDIS_CLUSTER_NODES: .*REDIS_URL.*REDIS_FALLBACK_TO_SINGLE=true/],
    [{ REDIS_NODE_1_HOST: 'h1', REDIS_HOST: 'h2' }, /^REDIS_NODE_1_HOST: .*REDIS_HOST/],
    [{ ...cluster, ...upstash }, /^REDIS_CLUSTER_NODES: .*UPSTASH_REDIS_REST_URL: keep one/],
    [{ ...single, ...upstash }, /^REDIS_URL: .*UPSTASH_REDIS_REST_URL: keep one/],
    [
      { ...cluster, REDIS_FALLBACK_TO_SINGLE: 'true' },
      /^REDIS_FALLBACK_TO_SINGLE: needs a single Redis .*REDIS_URL or REDIS_HOST/,
    ],
    [
      { ...single, REDIS_FALLBACK_TO_SINGLE: 'true' },
      /^REDIS_FALLBACK_TO_SINGLE: needs a cluster .*REDIS_CLUSTER_NODES/,
    ],
    [{ ...single, REDIS_HOST: 'h3', REDIS_DB: '1' }, /^REDIS_URL: .*REDIS_HOST, REDIS_DB/],
    [{ REDIS_URL: 'http://hunter2@h2' }, /^REDIS_URL: must be redis:/],
    [{ REDIS_URL: 'redis://h2/zero' }, /^REDIS_URL: .*number of a database/],
    [{ REDIS_HOST: 'redis://h2' }, /^REDIS_HOST: .*REDIS_URL/],
    [{ REDIS_PASSWORD: 'hunter2' }, /^REDIS_PASSWORD: .*REDIS_HOST is not/],
    [{ UPSTASH_REDIS_REST_URL: 'https://x' }, /^UPSTASH_REDIS_REST_TOKEN: is missing/],
    [{ UPSTASH_REDIS_REST_TOKEN: 'hunter2' }, /^UPSTASH_REDIS_REST_URL: is missing/],
    [{ REDIS_COMMAND_TIMEOUT_MS: '0' }, /^REDIS_COMMAND_TIMEOUT_MS: /],
  ])('is in doubt with %j, and one problem names the variables', (env, problem) => {
    const found = problems(env);
    expect(found).toEqual([expect.stringMatching(problem)]);
    expect(found.join()).not.toMatch(/hunter2|pa:ss|pa%3Ass/);
  });

  it('is not decided by the port that Kubernetes sets for a service named redis', () => {
    expect(loadConfig({ REDIS_PORT: 'tcp://10.0.0.7:6379' }).redis.mode).toBe('embedded');
  });

  it('is in production any that is named, and Upstash only by TLS', () => {
    const { REDIS_CLUSTER_NODES: _, ...rest } = production;
    expect(loadConfig({ ...rest, ...single }).redis.mode).toBe('single');
    expect(loadConfig({ ...rest, ...upstash }).redis.mode).toBe('upstash');
    expect(problems({ ...rest, ...upstash, UPSTASH_REDIS_REST_URL: 'http://x' })).toEqual([
      expect.stringMatching(/^UPSTASH_REDIS_REST_URL: .*https/),
    ]);
  });
});

describe('production', () => {
  it('starts with everything named', () => {
    expect(loadConfig(production).http.host).toBe('0.0.0.0');
  });

  it.each([
    ['JWT_SECRET', ''],
    ['JWT_SECRET', 'please-change-me-please-change-me-please'],
    ['ADMIN_TOKEN', 'change-me-please-now'],
    ['ADMIN_TOKEN', 'aaaaaaaaaaaaaaaa'],
    ['JWT_SECRET', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'],
    ['DATABASE_URL', ''],
    ['REDIS_CLUSTER_NODES', ''],
    ['BCRYPT_COST', '8'],
  ])('refuses %s="%s"', (name, value) => {
    expect(problems({ ...production, [name]: value })).toEqual([expect.stringMatching(new RegExp(`^${name}: `))]);
  });
});

describe('a secret in a file', () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-secret-'));
  const path = join(dir, 'jwt');
  afterAll(() => rmSync(dir, { recursive: true }));

  it('is read without its last line end', () => {
    writeFileSync(path, `${production.JWT_SECRET}\n`);
    expect(loadConfig({ JWT_SECRET_FILE: path }).auth.jwtSecret).toBe(production.JWT_SECRET);
  });

  it('is refused beside the variable itself', () => {
    expect(problems({ JWT_SECRET_FILE: path, JWT_SECRET: production.JWT_SECRET }).join()).toContain('keep one');
  });

  it('is named when it cannot be read', () => {
    expect(problems({ JWT_SECRET_FILE: join(dir, 'missing') }).join()).toMatch(/^JWT_SECRET_FILE: .*ENOENT/);
  });
});

describe('TRUST_PROXY', () => {
  it('takes ranges and names', () => {
    expect(loadConfig({ TRUST_PROXY: '10.0.0.0/8, loopback' }).http.trustedProxies).toEqual({
      by: 'range',
      ranges: ['10.0.0.0/8', 'loopback'],
    });
  });

  it('takes a number of proxies', () => {
    expect(loadConfig({ TRUST_PROXY: '2' }).http.trustedProxies).toEqual({ by: 'hops', hops: 2 });
  });
});
