import { randomBytes } from 'node:crypto';
import { startAuthApp, type AuthApp } from './authApp.ts';

let app: AuthApp;
beforeAll(async () => (app = await startAuthApp({ sessions: { maxSessionsPerUser: 5 } })));
afterAll(() => app.close());
beforeEach(() => void app.reuses.splice(0));

const refresh = (refreshToken: string) => app.send('POST', '/refresh', { refreshToken });
const sessionsOf = (userId: string) =>
  app.database.query<{ id: string; expires_at: Date }>('SELECT id, expires_at FROM sessions WHERE user_id = $1', [
    userId,
  ]);
/** Lets time pass for a user's sessions. */
const age = (userId: string, seconds: number) =>
  app.database.query(
    `UPDATE sessions SET rotated_at = rotated_at - $2::float8 * interval '1 second',
       expires_at = expires_at - $2::float8 * interval '1 second' WHERE user_id = $1`,
    [userId, seconds],
  );

describe('refreshing', () => {
  test('replaces the tokens and keeps the session, without a later end', async () => {
    const user = await app.newUser();
    const [before] = await sessionsOf(user.id);
    const answer = await refresh(user.refreshToken);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(Object.keys(answer.body).sort()).toEqual(['accessToken', 'expiresIn', 'refreshToken', 'tokenType']);
    expect(answer.body.refreshToken).not.toBe(user.refreshToken);
    expect((await app.send('GET', '/me', undefined, answer.body.accessToken)).body.user.id).toBe(user.id);
    expect(await sessionsOf(user.id)).toEqual([before]);
  });

  test('ten at once with one token all get the same working token', async () => {
    const user = await app.newUser();
    const answers = await Promise.all(Array.from({ length: 10 }, () => refresh(user.refreshToken)));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
    const given = new Set(answers.map(({ body }) => body.refreshToken));
    expect(given.size).toBe(1);
    const [next = ''] = given;
    expect((await refresh(next)).status).toBe(200);
    expect(app.reuses).toEqual([]);
  });

  test('a client whose answer got lost asks again and gets the same', async () => {
    const user = await app.newUser();
    const lost = await refresh(user.refreshToken);
    await age(user.id, 8);
    const again = await refresh(user.refreshToken);
    expect(again.body.refreshToken).toBe(lost.body.refreshToken);
    // The grace runs from the rotation, and asking again does not prolong it.
    await age(user.id, 3);
    expect((await refresh(user.refreshToken)).status).toBe(401);
  });

  test('a token that comes back after the grace ends the session, for whoever holds it', async () => {
    const user = await app.newUser();
    const { body: next } = await refresh(user.refreshToken);
    await age(user.id, 11);
    const reused = await refresh(user.refreshToken);
    expect(reused).toMatchObject({ status: 401, body: { code: 'invalid_token' } });
    expect(reused.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    expect((await refresh(next.refreshToken)).status).toBe(401);
    expect((await app.send('GET', '/me', undefined, next.accessToken)).status).toBe(401);
    expect(app.reuses).toEqual([{ userId: user.id, sessionId: expect.any(String) as string }]);
  });

  test('a token from further back ends the session too: a thief cannot hide the theft by rotating twice', async () => {
    const user = await app.newUser();
    const { body: second } = await refresh(user.refreshToken);
    const { body: third } = await refresh(second.refreshToken);
    expect((await refresh(user.refreshToken)).status).toBe(401);
    expect((await refresh(third.refreshToken)).status).toBe(401);
    expect(app.reuses).toHaveLength(1);
  });

  test('ends nobody else’s session', async () => {
    const [thief, other] = [await app.newUser(), await app.newUser()];
    const { body: second } = await refresh(thief.refreshToken);
    await refresh(second.refreshToken);
    await refresh(thief.refreshToken);
    expect((await refresh(other.refreshToken)).status).toBe(200);
  });

  test('a made-up token is refused and ends nothing', async () => {
    const user = await app.newUser();
    for (const text of [
      randomBytes(48).toString('base64url'),
      'x',
      user.refreshToken.slice(0, -1),
      `${user.refreshToken}A`,
    ]) {
      const answer = await refresh(text);
      expect(answer).toMatchObject({ status: 401, body: { code: 'invalid_token' } });
      expect(answer.text).not.toContain(text.slice(0, 20).padEnd(20, '?'));
    }
    expect((await refresh(user.refreshToken)).status).toBe(200);
    expect(app.reuses).toEqual([]);
  });

  test('a session ends when its time is over, and that is no reuse', async () => {
    const user = await app.newUser();
    await age(user.id, 3601);
    expect((await app.send('GET', '/me', undefined, user.accessToken)).status).toBe(401);
    expect((await refresh(user.refreshToken)).status).toBe(401);
    expect(app.reuses).toEqual([]);
  });

  test('the database holds no token that could be used', async () => {
    const user = await app.newUser();
    await refresh(user.refreshToken);
    const dump = JSON.stringify(
      await app.database.query(
        `SELECT id, encode(lineage_hash, 'hex') l, encode(current_hash, 'hex') c, encode(previous_hash, 'hex') p FROM sessions`,
      ),
    );
    const bytes = Buffer.from(user.refreshToken, 'base64url');
    for (const piece of [bytes.subarray(0, 16), bytes.subarray(16)]) expect(dump).not.toContain(piece.toString('hex'));
  });
});

describe('logging out', () => {
  test('ends the session at once, and may be repeated', async () => {
    const user = await app.newUser();
    for (let i = 0; i < 2; i += 1) {
      const answer = await app.send('POST', '/logout', { refreshToken: user.refreshToken });
      expect({ status: answer.status, text: answer.text }).toEqual({ status: 204, text: '' });
    }
    expect((await app.send('POST', '/logout', { refreshToken: 'whatever' })).status).toBe(204);
    expect((await app.send('GET', '/me', undefined, user.accessToken)).status).toBe(401);
    expect((await refresh(user.refreshToken)).status).toBe(401);
  });

  test('works with a token that was rotated since', async () => {
    const user = await app.newUser();
    const { body: next } = await refresh(user.refreshToken);
    expect((await app.send('POST', '/logout', { refreshToken: user.refreshToken })).status).toBe(204);
    expect((await refresh(next.refreshToken)).status).toBe(401);
  });

  test('leaves the other sessions of the user', async () => {
    const user = await app.newUser();
    const { body: other } = await app.send('POST', '/login', { email: user.email, password: user.password });
    await app.send('POST', '/logout', { refreshToken: user.refreshToken });
    expect((await app.send('GET', '/me', undefined, other.accessToken)).status).toBe(200);
  });
});

describe('logging in again and again', () => {
  const login = ({ email, password }: { email: string; password: string }) =>
    app.send('POST', '/login', { email, password });

  test('removes what has expired', async () => {
    const user = await app.newUser();
    await age(user.id, 3601);
    await login(user);
    expect(await sessionsOf(user.id)).toHaveLength(1);
  });

  test('keeps the newest sessions, up to the limit, and touches nobody else’s', async () => {
    const [user, other] = [await app.newUser(), await app.newUser()];
    const tokens = [user.accessToken];
    for (let i = 0; i < 6; i += 1) tokens.push((await login(user)).body.accessToken);
    expect(await sessionsOf(user.id)).toHaveLength(5);
    const statuses = await Promise.all(
      tokens.map(async (token) => (await app.send('GET', '/me', undefined, token)).status),
    );
    expect(statuses).toEqual([401, 401, 200, 200, 200, 200, 200]);
    expect(await sessionsOf(other.id)).toHaveLength(1);
  });

  test('at the same time succeeds every time', async () => {
    const user = await app.newUser();
    await age(user.id, 3601);
    const answers = await Promise.all(Array.from({ length: 30 }, () => login(user)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  });
});
