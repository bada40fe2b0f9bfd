import { connect } from 'node:net';
import { serviceEnv } from '../../environment/clusterEnv.ts';
import { call } from '../../environment/http.ts';
import { createTestDatabase } from '../../environment/postgres.ts';
import { endAllServices, startTestService, type TestService } from '../../environment/service.ts';
import { sharedClusterNodes, sharedPostgresUrl } from '../../environment/shared.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let service: TestService;

beforeAll(async () => {
  database = await createTestDatabase(sharedPostgresUrl());
  service = await startTestService({
    ...serviceEnv(sharedClusterNodes(), database.url),
    RATE_LIMIT_POINTS: '10000',
    LOG_LEVEL: 'debug',
  });
});
afterAll(async () => {
  await service.end();
  await endAllServices();
  await database.drop();
});

const account = (name: string) => ({ email: `${name}@example.com`, password: 'correct horse battery' });

describe('the way of a new user', () => {
  it('leads from register over login to me, refresh and logout', async () => {
    const ada = account('Ada');
    const registered = await call(`${service.url}/register`, { body: ada });
    expect(registered.status).toBe(201);
    const { user } = registered.json<{ user: { id: string; email: string; createdAt: string } }>();
    expect(user).toEqual({ id: expect.any(String), email: ada.email, createdAt: expect.any(String) });

    const login = await call(`${service.url}/login`, { body: { ...ada, email: 'ADA@example.COM' } });
    expect(login.json()).toEqual({
      accessToken: expect.any(String),
      tokenType: 'Bearer',
      expiresIn: 900,
      refreshToken: expect.any(String),
    });
    const { accessToken, refreshToken } = login.json<{ accessToken: string; refreshToken: string }>();
    const me = () => call(`${service.url}/me`, { headers: { Authorization: `Bearer ${accessToken}` } });
    expect((await me()).json()).toEqual({ user });

    const refreshed = await call(`${service.url}/refresh`, { body: { refreshToken } });
    expect(refreshed.status).toBe(200);
    const next = refreshed.json<{ refreshToken: string }>().refreshToken;
    expect((await call(`${service.url}/logout`, { body: { refreshToken: next } })).status).toBe(204);
    expect((await me()).status).toBe(401);
  });
});

describe('a bad request', () => {
  it.each<
    [string, { path: string; body?: unknown; headers?: Record<string, string>; method?: string }, number, string]
  >([
    ['an unknown path', { path: '/nothing' }, 404, 'not_found'],
    ['a wrong method', { path: '/login', method: 'GET' }, 405, 'method_not_allowed'],
    ['broken JSON', { path: '/login', body: '{"email":' }, 400, 'malformed_json'],
    [
      'a wrong content type',
      { path: '/login', body: 'a=b', headers: { 'Content-Type': 'application/x-www-form-urlencoded' } },
      415,
      'unsupported_media_type',
    ],
    [
      'a body over the limit',
      { path: '/login', body: { email: 'a'.repeat(10_000), password: 'x' } },
      413,
      'payload_too_large',
    ],
    ['an unknown field', { path: '/register', body: { ...account('x'), admin: true } }, 400, 'invalid_request'],
    ['a wrong type', { path: '/login', body: { email: ['a@b.c'], password: { $ne: '' } } }, 400, 'invalid_request'],
    ['no body', { path: '/login', method: 'POST' }, 400, 'invalid_request'],
    ['no token', { path: '/me' }, 401, 'missing_token'],
    ['a made-up token', { path: '/me', headers: { Authorization: 'Bearer a.b.c' } }, 401, 'invalid_token'],
    ['a path that cannot be decoded', { path: '/%E0%A4%A' }, 404, 'not_found'],
  ])('(%s) gets a problem document', async (_what, { path, ...rest }, status, code) => {
    const answer = await call(`${service.url}${path}`, rest);
    expect([answer.status, answer.headers['content-type']]).toEqual([status, 'application/problem+json']);
    expect(answer.json()).toMatchObject({
      type: expect.any(String),
      title: expect.any(String),
      status,
      code,
      instance: expect.any(String),
      requestId: answer.headers['x-request-id'],
    });
    expect(answer.text).not.toMatch(/node_modules|at .*\.(js|ts):/);
  });

  it('that is not even HTTP is closed without harm', async () => {
    const { port } = new URL(service.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.end('\u0016\u0003\u0001 not http at all\r\n\r\n');
    const text = await new Promise<string>((resolve) => {
      let received = '';
      socket.on('data', (chunk) => (received += chunk.toString()));
      socket.on('close', () => resolve(received));
    });
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect((await call(`${service.url}/livez`)).status).toBe(200);
  });
});

describe('a request id', () => {
  it('is taken over when it is sane', async () => {
    const answer = await call(`${service.url}/livez`, { headers: { 'X-Request-Id': 'abc-123.def' } });
    expect(answer.headers['x-request-id']).toBe('abc-123.def');
  });

  it.each(['has space', '{"a":1}', 'x'.repeat(200)])('like %p is replaced', async (id) => {
    const answer = await call(`${service.url}/livez`, { headers: { 'X-Request-Id': id } });
    expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('every answer', () => {
  it('has the security headers and does not name its framework', async () => {
    const { headers } = await call(`${service.url}/health`);
    expect(headers).toMatchObject({
      'content-security-policy': "default-src 'none';frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
    });
    expect(headers['x-powered-by']).toBeUndefined();
  });
});

describe('health', () => {
  it('names its dependencies', async () => {
    expect((await call(`${service.url}/health`)).json()).toMatchObject({
      status: 'ok',
      checks: { postgres: 'up', redis: 'up' },
    });
    expect((await call(`${service.url}/readyz`)).json()).toMatchObject({ status: 'ready' });
  });
});

describe('the log', () => {
  it('has one line for each request, and holds no password, token, hash or address', async () => {
    const grace = account('grace');
    await call(`${service.url}/register`, { body: grace });
    await call(`${service.url}/login`, { body: { ...grace, password: 'wrong password' } });
    const login = await call(`${service.url}/login`, { body: grace });
    const { accessToken, refreshToken } = login.json<{ accessToken: string; refreshToken: string }>();
    await call(`${service.url}/me?token=${accessToken}`, { headers: { Authorization: `Bearer ${accessToken}` } });
    await call(`${service.url}/register`, { body: `{"email":"grace@example.com","password":"${grace.password}",}` });
    await service.logged('request');
    const text = service.output();
    for (const secret of [grace.password, 'wrong password', accessToken, refreshToken, 'grace@example.com', '$2b$']) {
      expect(text).not.toContain(secret);
    }
    const lines = service.logs.filter(({ msg, path }) => msg === 'request' && path === '/me');
    expect(lines.at(-1)).toMatchObject({
      method: 'GET',
      status: 200,
      requestId: expect.any(String),
      ms: expect.any(Number),
    });
  });
});
