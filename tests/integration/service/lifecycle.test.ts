import { Agent } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { freshPrefix, serviceEnv } from '../../environment/clusterEnv.ts';
import { call } from '../../environment/http.ts';
import { createTestDatabase, startPostgres, type TestPostgres } from '../../environment/postgres.ts';
import { endAllServices, spawnTestService, startTestService } from '../../environment/service.ts';
import { sharedClusterNodes, sharedPostgresUrl } from '../../environment/shared.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;

beforeAll(async () => {
  database = await createTestDatabase(sharedPostgresUrl());
});
afterAll(async () => {
  await endAllServices();
  await database.drop();
});

const env = (more: Record<string, string> = {}) => ({
  ...serviceEnv(sharedClusterNodes(), database.url),
  RATE_LIMIT_POINTS: '10000',
  ...more,
});

describe('SIGTERM', () => {
  it('finishes the requests in flight, then ends with exit code 0', async () => {
    // Cost 12: the answer takes long enough to be under way when the signal comes.
    const service = await startTestService(env({ BCRYPT_COST: '12' }));
    const registered = call(`${service.url}/register`, {
      body: { email: 'flight@example.com', password: 'in flight now' },
    });
    await sleep(60);
    const ended = service.end('SIGTERM');
    expect((await registered).status).toBe(201);
    expect(await ended).toBe(0);
  });

  it('tells keep-alive clients to go, so that none sends into a closed connection', async () => {
    const service = await startTestService(env());
    const agent = new Agent({ keepAlive: true, maxSockets: 4 });
    const statuses: (number | string)[] = [];
    let go = true;
    const client = async () => {
      while (go) {
        const answer = await call(`${service.url}/health`, { agent }).catch(
          (error: NodeJS.ErrnoException) => error.code ?? error.message,
        );
        if (typeof answer === 'string') {
          statuses.push(answer);
          return;
        }
        statuses.push(answer.status);
      }
    };
    const clients = Promise.all([client(), client(), client(), client()]);
    await sleep(300);
    expect(await service.end('SIGTERM')).toBe(0);
    go = false;
    await clients;
    agent.destroy();
    // Each client's last word is a refused new connection; no request that was sent went without an answer.
    const errors = statuses.filter((status) => typeof status === 'string');
    expect(errors.every((code) => code === 'ECONNREFUSED')).toBe(true);
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(20);
  });

  it('is "not ready" for the time that load balancers need', async () => {
    const service = await startTestService(env({ SHUTDOWN_DELAY_MS: '1500' }));
    const ended = service.end('SIGTERM');
    await service.logged('shutting down');
    await sleep(100);
    expect((await call(`${service.url}/readyz`)).status).toBe(503);
    expect((await call(`${service.url}/health`)).status).toBe(200);
    expect(await ended).toBe(0);
  });

  it('cuts what does not finish in time', async () => {
    const service = await startTestService(env({ SHUTDOWN_TIMEOUT_MS: '500' }));
    const { port } = new URL(service.url);
    const stuck = connect(Number(port), '127.0.0.1');
    stuck.write('POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{');
    stuck.on('error', () => undefined);
    await sleep(100);
    const startedAt = performance.now();
    expect(await service.end('SIGTERM')).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(5000);
    stuck.destroy();
  });

  it('while starting ends the start, cleanly', async () => {
    const service = spawnTestService({ DATABASE_URL: database.url, REDIS_CLUSTER_NODES: '127.0.0.1:1' });
    await service.logged('starting');
    expect(await service.end('SIGTERM')).toBe(0);
  });
});

describe('a start', () => {
  it('with a bad environment names the variables and ends with exit code 1', async () => {
    const service = spawnTestService({ PORT: '70000', TRUST_PROXY: 'true' });
    expect(await service.end('SIGCONT')).toBe(1);
    expect(service.output()).toMatch(/PORT: .*\n.*TRUST_PROXY: "true" would trust/s);
    expect(service.output()).not.toMatch(/ at .*\.js:/);
  });

  it('on a port in use says so', async () => {
    const first = await startTestService(env());
    const second = spawnTestService(env({ PORT: new URL(first.url).port }));
    expect(await second.end('SIGCONT')).toBe(1);
    expect(second.output()).toContain('is in use; set PORT to another one');
    await first.end();
  });

  it('without Redis anywhere still answers, and says that it is degraded', async () => {
    const service = await startTestService({
      DATABASE_URL: database.url,
      REDIS_CLUSTER_NODES: '127.0.0.1:1,127.0.0.1:2',
    });
    const answer = await call(`${service.url}/health`);
    expect([answer.status, answer.json()]).toEqual([200, expect.objectContaining({ status: 'degraded' })]);
    expect((await call(`${service.url}/readyz`)).status).toBe(200);
    await service.end();
  });
});

describe('Postgres being away at the start', () => {
  it('is told on /readyz, and is over by itself when Postgres comes', async () => {
    const postgres: TestPostgres = await startPostgres();
    const own = await createTestDatabase(postgres.url);
    await postgres.kill();
    const service = await startTestService(
      env({ DATABASE_URL: own.url, REDIS_KEY_PREFIX: freshPrefix(), REQUEST_TIMEOUT_MS: '3000' }),
    );
    const notReady = await call(`${service.url}/readyz`);
    expect([notReady.status, notReady.json()]).toEqual([
      503,
      expect.objectContaining({ checks: expect.objectContaining({ postgres: 'down' }) }),
    ]);
    const refused = await call(`${service.url}/login`, { body: { email: 'a@example.com', password: 'whatever' } });
    expect(refused.status).toBe(503);
    expect(refused.headers['retry-after']).toBeDefined();

    await postgres.restart();
    const deadline = performance.now() + 20_000;
    let ready = await call(`${service.url}/readyz`);
    while (ready.status !== 200 && performance.now() < deadline) {
      await sleep(200);
      ready = await call(`${service.url}/readyz`);
    }
    expect(ready.status).toBe(200);
    const registered = await call(`${service.url}/register`, {
      body: { email: 'late@example.com', password: 'came back again' },
    });
    expect(registered.status).toBe(201);
    await service.end();
    await postgres.stop();
  });
});

describe('a request that takes too long', () => {
  it('is answered with 503 and a problem document', async () => {
    const service = await startTestService(env({ REQUEST_TIMEOUT_MS: '300', BCRYPT_COST: '14' }));
    const answer = await call(`${service.url}/register`, {
      body: { email: 'slow@example.com', password: 'takes a while' },
    });
    expect([answer.status, answer.json()]).toEqual([503, expect.objectContaining({ code: 'deadline_exceeded' })]);
    expect((await call(`${service.url}/livez`)).status).toBe(200);
    await service.end();
  });
});
