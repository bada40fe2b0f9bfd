import { randomBytes } from 'node:crypto';
import { redisHealthSchemas } from '../../../src/routes/redisHealthSchemas.ts';
import { serviceEnv } from '../../environment/clusterEnv.ts';
import { parseExposition, valueOf } from '../../environment/exposition.ts';
import { call } from '../../environment/http.ts';
import { createTestDatabase } from '../../environment/postgres.ts';
import { endAllServices, startTestService, type TestService } from '../../environment/service.ts';
import { sharedClusterNodes, sharedPostgresUrl } from '../../environment/shared.ts';

const token = 'k3vQ9zXw7LmT2bRy';
const admin = { headers: { Authorization: `Bearer ${token}` } };
const production = {
  NODE_ENV: 'production',
  HOST: '127.0.0.1',
  BCRYPT_COST: '10',
  JWT_SECRET: 'q7Yw2zKp9Lr4Tn6Vb8Xc1Md3Fg5Hj0Sa',
};

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let service: TestService;

beforeAll(async () => {
  database = await createTestDatabase(sharedPostgresUrl());
  service = await startTestService({
    ...serviceEnv(sharedClusterNodes(), database.url),
    ADMIN_TOKEN: token,
    HEALTH_CHECK_INTERVAL_MS: '200',
    RATE_LIMIT_POINTS: '20',
  });
  // Until the monitor's first check the nodes have no figures.
  for (let i = 0; i < 100 && (await cluster()).nodes.length < 6; i++);
});
afterAll(async () => {
  await service.end();
  await endAllServices();
  await database.drop();
});

let sources = 0;
/** Another client address each time, so that these questions do not use up one limit. */
const fresh = () => ({ from: `127.7.${(sources += 1) >> 8}.${sources & 255}` });
const cluster = async () =>
  (await call(`${service.url}/api/admin/cache/cluster`, { ...admin, ...fresh() })).json<{ nodes: unknown[] }>();
const scrape = async (path = '/metrics') => parseExposition((await call(service.url + path, admin)).text);

describe('GET /api/health/cache', () => {
  it('has the members of its contract and no others, for everybody', async () => {
    const answer = await call(`${service.url}/api/health/cache`, fresh());
    expect([answer.status, answer.headers['cache-control']]).toEqual([200, 'no-store']);
    expect(answer.headers['ratelimit']).toBeDefined();
    const health = redisHealthSchemas.cacheHealth.parse(answer.json());
    expect(health).toMatchObject({ type: 'cluster', distributed: true, status: 'healthy' });
    expect(health.cluster).toMatchObject({ enabled: true, totalNodes: 6, healthyNodes: 6, failedNodes: 0 });
    expect(health.cluster.nodes.every(({ lastHealthCheck }) => lastHealthCheck !== null)).toBe(true);
  });
});

describe('the admin routes', () => {
  it('show the cluster and the client as their schemas say', async () => {
    const topology = redisHealthSchemas.cacheCluster.parse(await cluster());
    expect(topology).toMatchObject({ enabled: true, status: 'healthy', reasons: [], slotsServed: 16_384 });
    const stats = await call(`${service.url}/api/admin/cache/stats`, { ...admin, ...fresh() });
    expect(redisHealthSchemas.cacheStats.parse(stats.json())).toMatchObject({ status: 'healthy', distributed: true });
  });

  it.each([
    '/metrics',
    '/metrics/redis-cluster',
    '/metrics/',
    '/METRICS',
    '/api/admin/cache/stats',
    '/api/admin/cache/cluster',
    '/api/admin/nothing',
    '/api/consistency/audit',
  ])('%s is closed to who has no token or a wrong one', async (path) => {
    const none = await call(service.url + path, fresh());
    expect([none.status, none.json()['code'], none.headers['www-authenticate']]).toEqual([
      401,
      'missing_token',
      'Bearer',
    ]);
    const wrong = await call(service.url + path, { ...fresh(), headers: { Authorization: `Bearer ${token}x` } });
    expect([wrong.status, wrong.json()['code']]).toEqual([401, 'invalid_token']);
    expect(wrong.text).not.toContain(token);
  });

  it('in production without a token are refused, and the answer names ADMIN_TOKEN', async () => {
    const other = await startTestService({ ...serviceEnv(sharedClusterNodes(), database.url), ...production });
    try {
      for (const path of ['/metrics', '/api/admin/cache/stats', '/api/consistency/audit']) {
        const answer = await call(other.url + path, admin);
        expect([answer.status, answer.json()['code']]).toEqual([403, 'forbidden']);
        expect(String(answer.json()['detail'])).toContain('ADMIN_TOKEN');
      }
      expect((await call(`${other.url}/api/health/cache`)).status).toBe(200);
    } finally {
      await other.end();
    }
  });
});

describe('metrics', () => {
  it('are in the text format, whole, and of the cluster alone where that is asked', async () => {
    const answer = await call(`${service.url}/metrics`, admin);
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
    const all = parseExposition(answer.text);
    for (const name of [
      'redis_cluster_nodes',
      'redis_cluster_health',
      'redis_cluster_commands_total',
      'redis_cluster_latency_seconds',
      'redis_circuit_breaker_state',
      'rate_limit_decisions_total',
      'http_request_duration_seconds',
      'postgres_pool_connections',
      'password_hasher_jobs',
      'password_hasher_shed_total',
      'nodejs_eventloop_lag_p99_seconds',
      'process_cpu_seconds_total',
    ])
      expect(all.has(name)).toBe(true);
    const own = await scrape('/metrics/redis-cluster');
    expect([...own.keys()]).toEqual([
      'redis_cluster_nodes',
      'redis_cluster_health',
      'redis_cluster_commands_total',
      'redis_cluster_latency_seconds',
    ]);
    const nodes = ['total', 'connected', 'master', 'slave'].map((status) =>
      valueOf(own, 'redis_cluster_nodes', { status }),
    );
    expect(nodes).toEqual([6, 6, 3, 3]);
    expect(valueOf(own, 'redis_cluster_health')).toBe(2);
  });

  it('are not rate limited for who has the token, and are for who has not', async () => {
    const from = '127.8.0.1';
    for (let i = 0; i < 40; i++)
      expect((await call(`${service.url}/metrics/redis-cluster`, { ...admin, from })).status).toBe(200);
    const guesses = [];
    for (let i = 0; i < 40; i++)
      guesses.push(
        (await call(`${service.url}/metrics`, { from, headers: { Authorization: `Bearer guess${i}` } })).status,
      );
    expect(guesses.filter((status) => status === 401)).toHaveLength(20);
    expect(guesses.filter((status) => status === 429)).toHaveLength(20);
  });

  it("count decisions and requests by the route's template", async () => {
    const from = '127.8.0.2';
    type Families = Awaited<ReturnType<typeof scrape>>;
    const refused = (families: Families) =>
      valueOf(families, 'rate_limit_decisions_total', { policy: 'default', outcome: 'refused', counted_by: 'store' });
    const healthy = (families: Families) =>
      valueOf(families, 'http_request_duration_seconds_count', { method: 'GET', route: '/health', status: '2xx' });
    await call(`${service.url}/health`, fresh());
    const first = await scrape();
    for (let i = 0; i < 25; i++) await call(`${service.url}/health`, { from });
    const last = await scrape();
    expect(healthy(last) - healthy(first)).toBe(20);
    expect(refused(last) - refused(first)).toBe(5);
    expect(
      valueOf(last, 'http_request_duration_seconds_count', { method: 'GET', route: 'unknown', status: '4xx' }),
    ).toBeGreaterThanOrEqual(5);
  });

  it('have no more series after 1,000 random paths, ids, methods and addresses', async () => {
    const shapes = (families: Awaited<ReturnType<typeof scrape>>) =>
      [...families.values()].flatMap(({ samples }) =>
        samples.map(({ name, labels }) => `${name} ${JSON.stringify(labels)}`),
      );
    const word = () => randomBytes(6).toString('hex');
    const visit = async (index: number) => {
      const path = [
        `/${word()}`,
        `/users/${word()}`,
        `/me/${word()}?id=${word()}`,
        `/api/admin/${word()}`,
        `/%${word()}`,
      ][index % 5];
      const method = ['GET', 'PROPFIND', 'M-SEARCH', 'DELETE', 'LINK'][(index >> 3) % 5] as string;
      const headers = { 'X-Forwarded-For': `10.${index & 255}.3.4`, 'X-Request-Id': word(), 'User-Agent': word() };
      await call(service.url + path, { method, headers, from: `127.9.${index >> 8}.${index & 255}` });
    };
    for (let index = 0; index < 50; index++) await visit(index);
    await scrape();
    const before = new Set(shapes(await scrape()).filter((shape) => !shape.startsWith('nodejs_')));
    for (let index = 0; index < 1000; index += 20)
      await Promise.all(Array.from({ length: 20 }, (_, i) => visit(index + i)));
    const after = shapes(await scrape()).filter((shape) => !shape.startsWith('nodejs_'));
    expect(after.filter((shape) => !before.has(shape))).toEqual([]);
    expect(after.join('\n')).not.toMatch(/\d+\.\d+\.\d+\.\d+/);
  });
});
