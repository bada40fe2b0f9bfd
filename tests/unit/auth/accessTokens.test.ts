import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import jwt from 'jsonwebtoken';
import { createAccessTokens } from '../../../src/auth/accessTokens.ts';
import { SluiceError } from '../../../src/errors.ts';

const secret = 'unit-test-secret-unit-test-secret-1';
const settings = { secret, issuer: 'sluice', audience: 'api', ttlSeconds: 60 };
const subject = { userId: '0198f2c4-7a60-7000-8000-000000000001', sessionId: '0198f2c4-7a60-7000-8000-000000000002' };
let now = 1_800_000_000_000;
const tokens = createAccessTokens({ clock: () => now }, settings);
beforeEach(() => (now = 1_800_000_000_000));

const iat = 1_800_000_000;
const claims = { iss: 'sluice', aud: 'api', sub: subject.userId, sid: subject.sessionId, jti: 'j', iat, exp: iat + 60 };
const header = { alg: 'HS256', typ: 'at+jwt' };

function sign(payload: object, options: { key?: jwt.Secret; header?: object; algorithm?: jwt.Algorithm } = {}) {
  const { key = secret, header: changed = {}, algorithm = 'HS256' } = options;
  return jwt.sign(payload, key, {
    algorithm,
    header: { ...header, alg: algorithm, ...changed },
    noTimestamp: !('iat' in payload),
  });
}
function part(value: object) {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
function without(name: keyof typeof claims) {
  return Object.fromEntries(Object.entries(claims).filter(([key]) => key !== name));
}

/** What `verify` throws. */
function refusal(token: string): SluiceError {
  try {
    tokens.verify(token);
  } catch (error) {
    if (error instanceof SluiceError) return error;
    throw error;
  }
  throw new Error('the token was accepted');
}

test('a token that was issued says whose it is', () => {
  const { accessToken, expiresIn } = tokens.issue(subject);
  expect(expiresIn).toBe(60);
  expect(tokens.verify(accessToken)).toEqual({
    ...subject,
    tokenId: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
  });
  expect(jwt.decode(accessToken, { complete: true })).toMatchObject({
    header,
    payload: { ...claims, jti: expect.any(String) as string },
  });
  expect(tokens.issue(subject).accessToken).not.toBe(accessToken);
});

test('a token lives as long as it says, give or take five seconds between two clocks', () => {
  const { accessToken } = tokens.issue(subject);
  now += 64_000;
  expect(tokens.verify(accessToken)).toMatchObject(subject);
  now += 1000;
  expect(refusal(accessToken).message).toBe('The access token has expired.');
  now -= 70_000;
  expect(tokens.verify(accessToken)).toMatchObject(subject);
  now -= 1000;
  expect(refusal(accessToken).code).toBe('invalid_token');
});

test('the claims that the refusals below change are good as they are', () => {
  expect(tokens.verify(sign(claims))).toEqual({ ...subject, tokenId: 'j' });
});

test.each<[string, () => string]>([
  ['an empty text', () => ''],
  ['a text that is no token', () => 'not.a.token'],
  ['an unsigned token (alg none)', () => `${part({ alg: 'none', typ: 'at+jwt' })}.${part(claims)}.`],
  [
    'alg none with the old signature',
    () => `${part({ alg: 'none', typ: 'at+jwt' })}.${sign(claims).split('.').slice(1).join('.')}`,
  ],
  ['another key', () => sign(claims, { key: `${secret}x` })],
  ['another HMAC with the same key', () => sign(claims, { algorithm: 'HS512' })],
  [
    'an RSA signature',
    () => sign(claims, { algorithm: 'RS256', key: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey }),
  ],
  [
    'a changed payload',
    () => {
      const [head, , signature] = sign(claims).split('.');
      return `${head}.${part({ ...claims, sub: subject.sessionId })}.${signature}`;
    },
  ],
  ['another audience', () => sign({ ...claims, aud: 'other' })],
  ['an audience among others', () => sign({ ...claims, aud: ['api', 'other'] })],
  ['another issuer', () => sign({ ...claims, iss: 'other' })],
  ...(['iss', 'aud', 'sub', 'sid', 'jti', 'iat', 'exp'] as const).map((name): [string, () => string] => [
    `no ${name}`,
    () => sign(without(name)),
  ]),
  ['a subject that is no UUID', () => sign({ ...claims, sub: "1' OR 1=1" })],
  ['a session that is no text', () => sign({ ...claims, sid: 7 as unknown as string })],
  ['a time of issue to come', () => sign({ ...claims, iat: iat + 6 })],
  ['a start of validity to come', () => sign({ ...claims, nbf: iat + 60 })],
  ['type JWT', () => sign(claims, { header: { typ: 'JWT' } })],
  ['no type', () => sign(claims, { header: { typ: undefined } })],
  ['a critical extension', () => sign(claims, { header: { crit: ['exp'] } })],
  ['a payload that is no object', () => jwt.sign('text', secret, { algorithm: 'HS256', header })],
  ['a token of megabytes', () => sign({ ...claims, padding: 'x'.repeat(2_000_000) })],
])('refuses %s', (_name, make) => {
  const error = refusal(make());
  expect(error.code).toBe('invalid_token');
  expect(error.context.headers).toEqual({ 'WWW-Authenticate': 'Bearer error="invalid_token"' });
});

test('no change of any one character goes unnoticed, and no refusal quotes the token', () => {
  const { accessToken } = tokens.issue(subject);
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  fc.assert(
    // The last character is left out: two of its six bits mean nothing in base64url.
    fc.property(fc.nat(accessToken.length - 2), fc.constantFrom(...alphabet), (at, character) => {
      fc.pre(accessToken[at] !== character && accessToken[at] !== '.');
      const error = refusal(accessToken.slice(0, at) + character + accessToken.slice(at + 1));
      expect(JSON.stringify([error.message, error.context])).not.toContain(accessToken.slice(0, 20));
    }),
  );
});

test('a short secret is refused at once, without being quoted', () => {
  expect(() => createAccessTokens({}, { ...settings, secret: 'short-secret' })).toThrow(
    /^(?!.*short-secret).*32 bytes/,
  );
});
