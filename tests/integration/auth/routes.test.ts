import jwt from 'jsonwebtoken';
import { audience, issuer, secret, startAuthApp, type AuthApp } from './authApp.ts';

const password = 'correct horse battery';

describe('the access token', () => {
  let app: AuthApp;
  beforeAll(async () => (app = await startAuthApp()));
  afterAll(() => app.close());

  test('none: 401 with a challenge that names no error', async () => {
    const answer = await app.send('GET', '/me');
    expect(answer).toMatchObject({ status: 401, body: { code: 'missing_token' } });
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  test('is read from the header only', async () => {
    const { accessToken } = await app.newUser();
    const answer = await app.send('GET', `/me?access_token=${accessToken}`);
    expect(answer).toMatchObject({ status: 401, body: { code: 'missing_token' } });
  });

  test('forged, expired, or for a user or session that does not exist: 401 with the error named, and no more', async () => {
    const user = await app.newUser();
    const good = jwt.decode(user.accessToken) as jwt.JwtPayload;
    const sign = (claims: object, key = secret) =>
      jwt.sign({ ...good, ...claims }, key, { header: { alg: 'HS256', typ: 'at+jwt' } });
    expect((await app.send('GET', '/me', undefined, sign({}))).status).toBe(200);
    const elsewhere = '0198f2c4-7a60-7000-8000-000000000009';
    const bad = [
      'nonsense',
      sign({}, `${secret}!`),
      sign({ exp: Math.floor(Date.now() / 1000) - 6 }),
      sign({ aud: 'other' }),
      sign({ iss: 'other' }),
      sign({ sid: elsewhere }),
      sign({ sub: elsewhere }),
      sign({ sid: user.refreshToken }),
    ];
    for (const token of bad) {
      const answer = await app.send('GET', '/me', undefined, token);
      expect(answer).toMatchObject({ status: 401, body: { code: 'invalid_token' } });
      expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
      for (const secretText of [token, secret, issuer, audience]) expect(answer.text).not.toContain(secretText);
    }
  });

  test('is asked for before the body is looked at', async () => {
    expect((await app.send('POST', '/password', '{broken')).status).toBe(401);
  });

  test('dies with its user', async () => {
    const user = await app.newUser();
    await app.database.query('DELETE FROM users WHERE id = $1', [user.id]);
    expect((await app.send('GET', '/me', undefined, user.accessToken)).status).toBe(401);
    expect((await app.send('POST', '/refresh', { refreshToken: user.refreshToken })).status).toBe(401);
  });

  test.each([
    ['GET', '/register', 'POST'],
    ['PUT', '/login', 'POST'],
    ['DELETE', '/me', 'GET, HEAD'],
    ['POST', '/me', 'GET, HEAD'],
    ['GET', '/refresh', 'POST'],
    ['PATCH', '/logout', 'POST'],
    ['GET', '/password', 'POST'],
  ])('%s %s is not allowed, and the answer says what is', async (method, path, allowed) => {
    const answer = await app.send(method, path);
    expect(answer).toMatchObject({ status: 405, body: { code: 'method_not_allowed' } });
    expect(answer.headers.get('allow')).toBe(allowed);
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  test.each([
    ['/register', { email: 7, password: [] }, ['email', 'password']],
    ['/login', { email: 'a@example.com' }, ['password']],
    ['/login', { email: 'a@example.com', password, remember: true }, ['remember']],
    ['/refresh', {}, ['refreshToken']],
    ['/refresh', { refreshToken: { toString: 'x' } }, ['refreshToken']],
    ['/logout', { refreshToken: '' }, ['refreshToken']],
  ])('%s refuses %j by field', async (path, body, fields) => {
    const answer = await app.send('POST', path, body);
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    expect(answer.body.errors.map((error) => error.path)).toEqual(fields);
  });
});

describe('a flood of logins', () => {
  let app: AuthApp;
  beforeAll(async () => (app = await startAuthApp({ hasher: { cost: 10, concurrency: 1, queueTimeoutMs: 200 } })));
  afterAll(() => app.close());

  test('is answered with 503 and a time to come back beyond what can be hashed, and then passes', async () => {
    const { email, accessToken } = await app.newUser();
    const flood = Array.from({ length: 40 }, () => app.send('POST', '/login', { email, password }));
    const me = await app.send('GET', '/me', undefined, accessToken);
    expect(me.status).toBe(200);
    const answers = await Promise.all(flood);
    const refused = answers.filter(({ status }) => status === 503);
    expect(refused.length).toBeGreaterThan(10);
    expect(answers.length - refused.length).toBeGreaterThan(0);
    expect(answers.every(({ status }) => status === 200 || status === 503)).toBe(true);
    for (const { headers, body } of refused) {
      expect(body.code).toBe('overloaded');
      expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    }
    expect((await app.send('POST', '/login', { email, password })).status).toBe(200);
  });
});

describe('a request whose deadline passes in the queue', () => {
  let app: AuthApp;
  beforeAll(async () => {
    app = await startAuthApp({ hasher: { cost: 10, concurrency: 1, queueTimeoutMs: 30_000 }, requestTimeoutMs: 400 });
  });
  afterAll(() => app.close());

  test('gets 503, leaves the queue, and leaves no user behind that it did not hear of', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => app.send('POST', '/register', { email: `u${i}@example.com`, password })),
    );
    const late = answers.filter(({ status }) => status === 503);
    expect(late.length).toBeGreaterThan(0);
    expect(late.every(({ body }) => body.code === 'deadline_exceeded')).toBe(true);
    expect(app.hasher.stats().waiting).toBe(0);
    await app.hasher.close();
    const [row] = await app.database.query<{ count: number }>('SELECT count(*)::int AS count FROM users');
    // One insert may have been on its way when its deadline passed.
    expect((row?.count ?? 0) - answers.filter(({ status }) => status === 201).length).toBeLessThanOrEqual(1);
  });
});
