/** `npm start` with nothing configured: what it starts, it stops; what it was told, it keeps. */
import { readdirSync, readlinkSync } from 'node:fs';
import { call } from '../../environment/http.ts';
import { endAllServices, freshDataDir, spawnTestService, startTestService } from '../../environment/service.ts';

afterAll(endAllServices);

const ada = { email: 'ada@example.com', password: 'correct horse' };

/** Processes that work in the folder (Redis overwrites its command line, so that cannot tell). */
function processesUsing(dir: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`).startsWith(dir);
      } catch {
        return false;
      }
    });
}

async function spend(url: string, count: number): Promise<number[]> {
  const statuses: number[] = [];
  for (let i = 0; i < count; i++) statuses.push((await call(`${url}/health`, { from: '127.0.0.77' })).status);
  return statuses;
}

describe('a service with nothing configured', () => {
  it('runs a real cluster, leaves no process, and finds users and counters again', async () => {
    const dir = await freshDataDir();
    const first = await startTestService({ DATA_DIR: dir });
    expect((await call(`${first.url}/health`)).json()).toMatchObject({
      status: 'ok',
      checks: { postgres: 'up', redis: 'up' },
    });
    expect(processesUsing(dir)).toHaveLength(6);
    expect((await call(`${first.url}/register`, { body: ada })).status).toBe(201);
    await spend(first.url, 20);
    expect(await first.end('SIGINT')).toBe(0);
    expect(processesUsing(dir)).toEqual([]);

    const second = await startTestService({ DATA_DIR: dir });
    const login = await call(`${second.url}/login`, { body: ada });
    expect(login.status).toBe(200);
    expect(await spend(second.url, 11)).toEqual([...Array<number>(10).fill(200), 429]);

    // kill -9 leaves the nodes behind; the next start takes them over, and stops them at its end.
    await second.end('SIGKILL');
    expect(processesUsing(dir)).toHaveLength(6);
    const third = await startTestService({ DATA_DIR: dir });
    expect(processesUsing(dir)).toHaveLength(6);
    expect((await call(`${third.url}/login`, { body: ada })).status).toBe(200);
    expect((await spend(third.url, 1))[0]).toBe(429);
    const token = login.json<{ accessToken: string }>().accessToken;
    expect((await call(`${third.url}/me`, { headers: { Authorization: `Bearer ${token}` } })).status).toBe(200);
    expect(await third.end('SIGTERM')).toBe(0);
    expect(processesUsing(dir)).toEqual([]);
  }, 120_000);

  it('refuses a data directory that another one uses, and names it', async () => {
    const dir = await freshDataDir();
    const first = await startTestService({ DATA_DIR: dir, EMBEDDED_REDIS: 'memory' });
    const second = spawnTestService({ DATA_DIR: dir, EMBEDDED_REDIS: 'memory' });
    expect(await second.end('SIGCONT')).toBe(1);
    expect(second.output()).toContain('DATA_DIR');
    expect((await call(`${first.url}/health`)).status).toBe(200);
    await first.end();
  });

  it('counts in memory where there is no Redis, and says what is lost and how to get it', async () => {
    const nodeOnly = await freshDataDir();
    const service = await startTestService({ PATH: nodeOnly, DATA_DIR: await freshDataDir() });
    const line = service.logs.find(({ msg }) => msg.includes('no Redis here'));
    expect(line?.msg).toMatch(/lost when it ends.*apt-get install redis-server/);
    expect(await spend(service.url, 31)).toEqual([...Array<number>(30).fill(200), 429]);
    expect((await call(`${service.url}/health`)).json()).toMatchObject({ status: 'ok', checks: { redis: 'memory' } });
    await service.end();
  });

  it('refuses to pretend when a cluster was asked for', async () => {
    const nodeOnly = await freshDataDir();
    const service = spawnTestService({ PATH: nodeOnly, DATA_DIR: await freshDataDir(), EMBEDDED_REDIS: 'cluster' });
    expect(await service.end('SIGCONT')).toBe(1);
    expect(service.output()).toContain('needs a redis-server');
  });
});
