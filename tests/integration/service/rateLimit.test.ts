import { parseList, type Item } from 'structured-headers';
import { serviceEnv } from '../../environment/clusterEnv.ts';
import { call, type Answer } from '../../environment/http.ts';
import { createTestDatabase } from '../../environment/postgres.ts';
import { endAllServices, startTestService, type TestService } from '../../environment/service.ts';
import { sharedClusterNodes, sharedPostgresUrl } from '../../environment/shared.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let service: TestService;
let behindProxy: TestService;

beforeAll(async () => {
  database = await createTestDatabase(sharedPostgresUrl());
  const env = serviceEnv(sharedClusterNodes(), database.url);
  [service, behindProxy] = await Promise.all([
    startTestService(env),
    startTestService({ ...serviceEnv(sharedClusterNodes(), database.url), TRUST_PROXY: '127.0.0.200' }),
  ]);
});
afterAll(async () => {
  await Promise.all([service.end(), behindProxy.end()]);
  await endAllServices();
  await database.drop();
});

async function times(count: number, ask: () => Promise<Answer>): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let i = 0; i < count; i++) answers.push(await ask());
  return answers;
}

describe('the 31st request of an address in a minute', () => {
  let answers: Answer[];
  beforeAll(async () => {
    answers = await times(32, () => call(`${service.url}/health`, { from: '127.0.0.10' }));
  });

  it('is refused, the 30 before it are not', () => {
    expect(answers.map(({ status }) => status)).toEqual([...Array<number>(30).fill(200), 429, 429]);
  });

  it('is told when to come back', () => {
    const wait = Number(answers[30]?.headers['retry-after']);
    expect(wait).toBeGreaterThan(0);
    expect(wait).toBeLessThanOrEqual(60);
  });

  it('gets a problem document of the type that the IETF draft names', () => {
    expect(answers[30]?.headers['content-type']).toBe('application/problem+json');
    expect(answers[30]?.json()).toMatchObject({
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      title: 'Too many requests',
      status: 429,
      code: 'rate_limited',
      'violated-policies': ['default'],
      requestId: answers[30]?.headers['x-request-id'],
    });
  });

  it('and all others carry RateLimit fields that a structured-fields parser reads', () => {
    const remaining = answers.map(({ headers }) => {
      const [name, parameters] = parseList(String(headers['ratelimit']))[0] as Item;
      expect(name).toBe('default');
      return parameters.get('r');
    });
    expect(remaining).toEqual([...Array.from({ length: 30 }, (_, index) => 29 - index), 0, 0]);
    expect(answers[0]?.headers['ratelimit-policy']).toBe('"default";q=30;w=60');
  });
});

describe('an address', () => {
  it('is not slowed by what another one does', async () => {
    await times(31, () => call(`${service.url}/health`, { from: '127.0.0.11' }));
    expect((await call(`${service.url}/health`, { from: '127.0.0.12' })).status).toBe(200);
  });

  it('shares its quota over all public paths, unknown ones included', async () => {
    const from = '127.0.0.13';
    await times(10, () => call(`${service.url}/health`, { from }));
    await times(10, () => call(`${service.url}/nothing`, { from }));
    await times(10, () => call(`${service.url}/login`, { from, body: {} }));
    expect((await call(`${service.url}/me`, { from })).status).toBe(429);
  });

  it('is refused before its body is read', async () => {
    const from = '127.0.0.14';
    await times(30, () => call(`${service.url}/health`, { from }));
    const answer = await call(`${service.url}/login`, { from, body: 'x'.repeat(100_000) });
    expect(answer.status).toBe(429);
  });

  it('may ask the probes as often as it likes', async () => {
    const answers = await times(40, () => call(`${service.url}/livez`, { from: '127.0.0.15' }));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
  });
});

describe('X-Forwarded-For', () => {
  it('does not help a client while no proxy is trusted', async () => {
    let turn = 0;
    const answers = await times(31, () =>
      call(`${service.url}/health`, { from: '127.0.0.16', headers: { 'X-Forwarded-For': `198.51.100.${turn++}` } }),
    );
    expect(answers[30]?.status).toBe(429);
  });

  it('does not help a client that is not the trusted proxy', async () => {
    let turn = 0;
    const answers = await times(31, () =>
      call(`${behindProxy.url}/health`, { from: '127.0.0.17', headers: { 'X-Forwarded-For': `198.51.100.${turn++}` } }),
    );
    expect(answers[30]?.status).toBe(429);
  });

  it('from the trusted proxy tells its clients apart', async () => {
    const through = (client: string) =>
      call(`${behindProxy.url}/health`, { from: '127.0.0.200', headers: { 'X-Forwarded-For': client } });
    await times(30, () => through('198.51.100.1'));
    expect((await through('198.51.100.1')).status).toBe(429);
    expect((await through('198.51.100.2')).status).toBe(200);
  });

  it('cannot be extended by the client to become someone else', async () => {
    let turn = 0;
    const answers = await times(31, () =>
      call(`${behindProxy.url}/health`, {
        from: '127.0.0.200',
        headers: { 'X-Forwarded-For': `10.1.1.${turn++}, 198.51.100.77` },
      }),
    );
    expect(answers[30]?.status).toBe(429);
  });
});

describe('four processes on one cluster', () => {
  it('let exactly 30 of 1,000 parallel requests from one address pass', async () => {
    const env = serviceEnv(sharedClusterNodes(), database.url);
    const processes = await Promise.all(Array.from({ length: 4 }, () => startTestService(env)));
    const from = '127.0.0.18';
    const answers = await Promise.all(
      Array.from({ length: 1000 }, (_, index) =>
        call(`${processes[index % 4]?.url}/health`, { from, timeoutMs: 30_000 }),
      ),
    );
    const count = (status: number) => answers.filter((answer) => answer.status === status).length;
    expect({ allowed: count(200), refused: count(429) }).toEqual({ allowed: 30, refused: 970 });
    await Promise.all(processes.map((one) => one.end()));
  });
});
