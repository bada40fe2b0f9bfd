import bcrypt from 'bcrypt';
import { startAuthApp, type Answer, type AuthApp } from './authApp.ts';

let app: AuthApp;
beforeAll(async () => (app = await startAuthApp()));
afterAll(() => app.close());

const password = 'correct horse battery';
const fieldsOf = ({ body }: Answer) => body.errors.map(({ path }) => path);

describe('registering', () => {
  test('makes a user who can log in and see themself', async () => {
    const registered = await app.send('POST', '/register', { email: 'Ada@Example.com', password });
    expect(registered.status).toBe(201);
    expect(registered.headers.get('location')).toBe('/me');
    expect(registered.headers.get('cache-control')).toBe('no-store');
    expect(registered.body).toEqual({
      user: {
        id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
        email: 'Ada@Example.com',
        createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
      },
    });
    const loggedIn = await app.send('POST', '/login', { email: ' ada@EXAMPLE.com', password });
    expect(loggedIn.status).toBe(200);
    expect(loggedIn.headers.get('cache-control')).toBe('no-store');
    expect(loggedIn.body).toEqual({
      accessToken: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/) as string,
      tokenType: 'Bearer',
      expiresIn: 900,
      refreshToken: expect.stringMatching(/^[\w-]{64}$/) as string,
    });
    const me = await app.send('GET', '/me', undefined, loggedIn.body.accessToken);
    expect(me.status).toBe(200);
    expect(me.headers.get('cache-control')).toBe('no-store');
    expect(me.body).toEqual(registered.body);
  });

  test('an address is taken in whatever case it is typed, also by many at once', async () => {
    const spellings = ['bob@example.com', 'Bob@example.com', 'BOB@EXAMPLE.COM', ' bob@Example.com', 'bOb@example.com'];
    const answers = await Promise.all(
      [...spellings, ...spellings].map((email) => app.send('POST', '/register', { email, password })),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([201, ...Array.from({ length: 9 }, () => 409)]);
    expect(answers.find(({ status }) => status === 409)?.body.code).toBe('email_taken');
    expect(
      await app.database.query('SELECT 1 FROM users WHERE email_canonical = $1', ['bob@example.com']),
    ).toHaveLength(1);
  });

  test('an insert that is repeated recognises itself, and nobody else', async () => {
    const row = { email: 'x@example.com', canonical: 'x@example.com', passwordHash: 'x' };
    const mine = { ...row, id: '0198f2c4-7a60-7000-8000-000000000001' };
    const inserted = await app.users.insert(mine);
    expect(inserted).toMatchObject({ id: mine.id });
    expect(await app.users.insert(mine)).toEqual(inserted);
    expect(await app.users.insert({ ...row, id: '0198f2c4-7a60-7000-8000-000000000002' })).toBeUndefined();
  });

  test('says of every field at once what is wrong, without repeating it', async () => {
    const both = await app.send('POST', '/register', { email: 'hunter2', password: 'hunter2' });
    expect(both.status).toBe(400);
    expect(fieldsOf(both)).toEqual(['email', 'password']);
    expect(both.text).not.toContain('hunter2');
    const extra = await app.send('POST', '/register', { email: 'c@example.com', password, role: 'hunter2' });
    expect(fieldsOf(extra)).toEqual(['role']);
    expect(extra.text).not.toContain('hunter2');
    expect(fieldsOf(await app.send('POST', '/register', '[]'))).toEqual(['']);
    expect(
      fieldsOf(
        await app.send('POST', '/register', `{"email":"c@example.com","password":"${password}","__proto__":{}}`),
      ),
    ).toEqual(['__proto__']);
  });

  test('takes 72 bytes of password and not one more, however few characters that are', async () => {
    const longest = '😀'.repeat(18);
    const email = 'long@example.com';
    const refused = await app.send('POST', '/register', { email, password: `${longest}a` });
    expect(refused.status).toBe(400);
    expect(refused.body.errors).toEqual([{ path: 'password', message: expect.stringContaining('72 bytes') as string }]);
    expect((await app.send('POST', '/register', { email, password: longest })).status).toBe(201);
    expect((await app.send('POST', '/login', { email, password: longest })).status).toBe(200);
    expect((await app.send('POST', '/login', { email, password: `${longest}a` })).status).toBe(401);
  });

  test('a password counts to its end, past a NUL byte', async () => {
    const email = 'nul@example.com';
    expect((await app.send('POST', '/register', { email, password: 'before\0after' })).status).toBe(201);
    expect((await app.send('POST', '/login', { email, password: 'before\0other' })).status).toBe(401);
    expect((await app.send('POST', '/login', { email, password: 'before' })).status).toBe(401);
    expect((await app.send('POST', '/login', { email, password: 'before\0after' })).status).toBe(200);
  });

  test('a NUL byte in an address is no address, and never reaches Postgres', async () => {
    expect((await app.send('POST', '/register', { email: 'a\0@example.com', password })).status).toBe(400);
    expect((await app.send('POST', '/login', { email: 'a\0@example.com', password })).status).toBe(401);
  });

  test('stores a bcrypt hash of the configured cost', async () => {
    const { id } = await app.newUser();
    const row = await app.users.byId(id);
    expect(bcrypt.getRounds(row?.passwordHash ?? '')).toBe(4);
    expect(await bcrypt.compare(password, row?.passwordHash ?? '')).toBe(true);
  });
});

describe('logging in', () => {
  test('an unknown address, a wrong password and no address at all get one answer, after one comparison each', async () => {
    const { email } = await app.newUser();
    const attempts = [
      { email, password: 'wrong horse battery' },
      { email: 'nobody@example.com', password },
      { email: 'nobody@example.com', password: 'x'.repeat(200) },
      { email: 'not an address', password },
    ];
    const seen: unknown[] = [];
    for (const attempt of attempts) {
      const before = app.hasher.stats().completed;
      const { status, text, headers } = await app.send('POST', '/login', attempt);
      const comparisons = app.hasher.stats().completed - before;
      const constant = [...headers].filter(([name]) => name !== 'date');
      seen.push({ status, text, constant, comparisons });
    }
    expect(seen[0]).toMatchObject({ status: 401, comparisons: 1 });
    for (const other of seen) expect(other).toEqual(seen[0]);
  });

  test('renews a hash of another cost, once, and changes nothing else', async () => {
    const { email, id, accessToken } = await app.newUser();
    await app.database.query('UPDATE users SET password_hash = $2 WHERE id = $1', [id, await bcrypt.hash(password, 5)]);
    const old = await app.users.byId(id);
    expect((await app.send('POST', '/login', { email, password: 'wrong horse battery' })).status).toBe(401);
    expect(await app.users.byId(id)).toEqual(old);
    expect((await app.send('POST', '/login', { email, password })).status).toBe(200);
    const renewed = await app.users.byId(id);
    expect(bcrypt.getRounds(renewed?.passwordHash ?? '')).toBe(4);
    expect(renewed).toEqual({ ...old, passwordHash: renewed?.passwordHash });
    const before = app.hasher.stats().completed;
    expect((await app.send('POST', '/login', { email, password })).status).toBe(200);
    expect(app.hasher.stats().completed - before).toBe(1);
    expect((await app.send('GET', '/me', undefined, accessToken)).status).toBe(200);
  });
});

describe('renewing a hash while logging in', () => {
  const withHash = async (cost: number) => {
    const user = await app.newUser();
    const hash = await bcrypt.hash(password, cost);
    await app.database.query('UPDATE users SET password_hash = $2 WHERE id = $1', [user.id, hash]);
    return { ...user, hash, login: () => app.send('POST', '/login', { email: user.email, password }) };
  };

  test('waits for a quiet moment: while others queue, logins come first', async () => {
    const { login } = await withHash(10);
    const before = app.hasher.stats().completed;
    const answers = await Promise.all(Array.from({ length: 10 }, login));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
    // Ten comparisons, and a new hash for the last one or two only, which left both slots free.
    expect(app.hasher.stats().completed - before).toBeLessThanOrEqual(13);
  });

  test('that fails does not fail the login', async () => {
    const { id, hash, login } = await withHash(5);
    await app.database.query(`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no''; END';
      CREATE TRIGGER refuse BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION refuse()`);
    try {
      expect((await login()).status).toBe(200);
    } finally {
      await app.database.query('DROP TRIGGER refuse ON users; DROP FUNCTION refuse()');
    }
    expect(app.rehashFailures).toHaveLength(1);
    expect((await app.users.byId(id))?.passwordHash).toBe(hash);
  });
});

describe('changing the password', () => {
  test('ends all other sessions and keeps the one that asked', async () => {
    const user = await app.newUser();
    const other = (await app.send('POST', '/login', user && { email: user.email, password })).body;
    const newPassword = 'a new horse altogether';
    const before = app.hasher.stats().completed;
    const changed = await app.send('POST', '/password', { currentPassword: password, newPassword }, user.accessToken);
    expect(changed.status).toBe(204);
    expect(changed.headers.get('cache-control')).toBe('no-store');
    expect(app.hasher.stats().completed - before).toBe(2);
    expect((await app.send('GET', '/me', undefined, other.accessToken)).status).toBe(401);
    expect((await app.send('POST', '/refresh', { refreshToken: other.refreshToken })).status).toBe(401);
    expect((await app.send('GET', '/me', undefined, user.accessToken)).status).toBe(200);
    expect((await app.send('POST', '/refresh', { refreshToken: user.refreshToken })).status).toBe(200);
    expect((await app.send('POST', '/login', { email: user.email, password })).status).toBe(401);
    expect((await app.send('POST', '/login', { email: user.email, password: newPassword })).status).toBe(200);
  });

  test('needs the current password, and hashes nothing before it is right', async () => {
    const user = await app.newUser();
    const before = app.hasher.stats().completed;
    const wrong = { currentPassword: 'wrong horse battery', newPassword: 'a new horse altogether' };
    const answer = await app.send('POST', '/password', wrong, user.accessToken);
    expect(answer).toMatchObject({ status: 401, body: { code: 'invalid_credentials' } });
    expect(app.hasher.stats().completed - before).toBe(1);
    expect((await app.send('POST', '/login', { email: user.email, password })).status).toBe(200);
  });

  test('holds the new password to the rules before any work is done', async () => {
    const user = await app.newUser();
    const before = app.hasher.stats().completed;
    const body = { currentPassword: password, newPassword: 'é'.repeat(37) };
    const answer = await app.send('POST', '/password', body, user.accessToken);
    expect(answer.body.errors).toEqual([
      { path: 'newPassword', message: expect.stringContaining('72 bytes') as string },
    ]);
    expect(app.hasher.stats().completed).toBe(before);
  });

  test('of many changes at once one wins, and nothing that began with the old password survives it', async () => {
    const user = await app.newUser();
    const old = { email: user.email, password };
    const changes = Array.from({ length: 5 }, (_, i) =>
      app.send('POST', '/password', { currentPassword: password, newPassword: `new password ${i}` }, user.accessToken),
    );
    const logins = Array.from({ length: 20 }, () => app.send('POST', '/login', old));
    const changed = await Promise.all(changes);
    const loggedIn = await Promise.all(logins);
    expect(changed.map(({ status }) => status).sort()).toEqual([204, 401, 401, 401, 401]);
    expect(new Set([200, 401, ...loggedIn.map(({ status }) => status)])).toEqual(new Set([200, 401]));
    expect(await app.database.query('SELECT 1 FROM sessions WHERE user_id = $1', [user.id])).toHaveLength(1);
    const winner = changed.findIndex(({ status }) => status === 204);
    expect((await app.send('POST', '/login', { ...old, password: `new password ${winner}` })).status).toBe(200);
  });

  test('a login that verified the old password a moment ago starts no session', async () => {
    const user = await app.newUser();
    const verified = await app.accounts.authenticate({ email: user.email, password });
    const body = { currentPassword: password, newPassword: 'a new horse altogether' };
    expect((await app.send('POST', '/password', body, user.accessToken)).status).toBe(204);
    await expect(app.sessions.start(verified)).rejects.toMatchObject({ code: 'invalid_credentials' });
  });
});
