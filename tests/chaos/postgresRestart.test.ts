/** Postgres is killed and comes back while clients register, log in and read: nobody gets a 500, and no answer lies. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { serviceEnv } from '../environment/clusterEnv.ts';
import { call } from '../environment/http.ts';
import { createTestDatabase, startPostgres, type TestPostgres } from '../environment/postgres.ts';
import { endAllServices, startTestService, type TestService } from '../environment/service.ts';
import { sharedClusterNodes } from '../environment/shared.ts';

let postgres: TestPostgres;
let service: TestService;
let databaseUrl: string;

beforeAll(async () => {
  postgres = await startPostgres();
  databaseUrl = (await createTestDatabase(postgres.url)).url;
  service = await startTestService({
    ...serviceEnv(sharedClusterNodes(), databaseUrl),
    RATE_LIMIT_POINTS: '1000000',
    REQUEST_TIMEOUT_MS: '4000',
  });
});
afterAll(async () => {
  await service.end();
  await endAllServices();
  await postgres.stop();
});

interface Seen {
  email: string;
  status: number;
  code: string | undefined;
}

const password = 'survives a restart';

/** What is really there. */
async function emails(): Promise<Set<string>> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const { rows } = await client.query<{ email: string }>('SELECT email FROM users');
  await client.end();
  return new Set(rows.map(({ email }) => email));
}

it('Postgres killed twice under load: no 500, every 201 is kept, every refusal was one', async () => {
  const registered: Seen[] = [];
  const reads: number[] = [];
  let go = true;
  let next = 0;

  const register = async () => {
    while (go) {
      const email = `user${next++}@example.com`;
      const answer = await call(`${service.url}/register`, { body: { email, password } });
      const code = answer.status === 201 ? undefined : answer.json<{ code: string }>().code;
      registered.push({ email, status: answer.status, code });
      if (answer.status !== 201) await sleep(20);
    }
  };
  const first = { email: 'reader@example.com', password };
  await call(`${service.url}/register`, { body: first });
  const { accessToken } = (await call(`${service.url}/login`, { body: first })).json<{ accessToken: string }>();
  const read = async () => {
    while (go) {
      const answer = await call(`${service.url}/me`, { headers: { Authorization: `Bearer ${accessToken}` } });
      expect(answer.text).not.toMatch(/node_modules|\n\s+at /);
      reads.push(answer.status);
      await sleep(5);
    }
  };
  const clients = Promise.all([register(), register(), register(), register(), read(), read()]);
  for (let round = 0; round < 2; round++) {
    await sleep(1000);
    await postgres.kill();
    await sleep(1500);
    await postgres.restart();
  }
  await sleep(2000);
  go = false;
  await clients;

  // A token that was good stays good: a database that is away is 503, never 401.
  expect([...new Set(reads)].sort()).toEqual(expect.arrayContaining([200]));
  expect([...new Set(reads)].every((status) => status === 200 || status === 503)).toBe(true);
  expect(reads.at(-1)).toBe(200);

  const made = registered.filter(({ status }) => status === 201);
  const refused = registered.filter(({ status }) => status === 503);
  expect(made.length).toBeGreaterThan(20);
  expect(made.length + refused.length).toBe(registered.length);

  const kept = await emails();
  expect(made.filter(({ email }) => !kept.has(email))).toEqual([]);
  // "It is not known" may be either; any other refusal says that nothing was done.
  const certain = refused.filter(({ code }) => code !== 'outcome_unknown' && code !== 'deadline_exceeded');
  expect(certain.filter(({ email }) => kept.has(email))).toEqual([]);
});
