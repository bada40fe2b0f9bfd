import { createRefreshTokens } from '../../../src/auth/refreshTokens.ts';
import { isUuid, uuidV7 } from '../../../src/auth/uuidV7.ts';

const tokens = createRefreshTokens({}, { secret: 'unit-test-secret-unit-test-secret-1' });

describe('refresh tokens', () => {
  test('what was made can be read again', () => {
    const token = tokens.create();
    expect(token.text).toMatch(/^[A-Za-z0-9_-]{64}$/);
    expect(tokens.parse(token.text)).toEqual(token);
    expect(tokens.create().text).not.toBe(token.text);
  });

  test('a successor shares the lineage and nothing else, and is always the same', () => {
    const token = tokens.create();
    const next = tokens.successorOf(token);
    expect(next.lineageHash).toEqual(token.lineageHash);
    expect(next.hash).not.toEqual(token.hash);
    expect(tokens.successorOf(token)).toEqual(next);
    expect(tokens.successorOf(next).hash).not.toEqual(next.hash);
  });

  test('a successor cannot be told without the secret', () => {
    const token = tokens.create();
    const stranger = createRefreshTokens({}, { secret: 'another-secret-another-secret-12345' });
    expect(stranger.successorOf(token).hash).not.toEqual(tokens.successorOf(token).hash);
  });

  test.each([
    '',
    'x',
    'A'.repeat(63),
    'A'.repeat(65),
    `${'A'.repeat(63)}=`,
    `${'A'.repeat(63)}+`,
    `${'A'.repeat(64)}\n`,
  ])('%j is no token', (text) => expect(tokens.parse(text)).toBeUndefined());
});

describe('uuidV7', () => {
  test('carries the time, the version and the variant (the example of RFC 9562, appendix A.6)', () => {
    const random = () => Buffer.from('000000000000ccc398c4dc0c0c07398f', 'hex');
    expect(uuidV7({ clock: () => 0x017f22e279b0, random })).toBe('017f22e2-79b0-7cc3-98c4-dc0c0c07398f');
  });

  test('is a UUID, never twice the same', () => {
    const made = Array.from({ length: 1000 }, () => uuidV7());
    expect(made.every(isUuid)).toBe(true);
    expect(new Set(made).size).toBe(1000);
  });
});
