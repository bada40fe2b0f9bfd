import fc from 'fast-check';
import { parseEmail } from '../../../src/auth/emailAddress.ts';

describe('parseEmail', () => {
  test.each([
    ['Ada.Lovelace+Tag@Example.COM', 'ada.lovelace+tag@example.com'],
    ['  ada@example.com\n', 'ada@example.com'],
    ['ada@BÜCHER.example', 'ada@xn--bcher-kva.example'],
    ['ada@bücher.example', 'ada@xn--bcher-kva.example'],
    ['ada@example。com', 'ada@example.com'],
    ['Rene\u0301@example.com', 'ren\u00e9@example.com'],
    ["o'brien!#$%&*/=?^_`{|}~-@example.co.uk", "o'brien!#$%&*/=?^_`{|}~-@example.co.uk"],
  ])('compares %j as %j', (typed, canonical) => {
    expect(parseEmail(typed)).toEqual({ email: typed.trim(), canonical });
  });

  test.each([
    '',
    '@',
    'ada',
    'ada@',
    '@example.com',
    'ada@localhost',
    'ada@@example.com',
    'a@b@example.com',
    'a da@example.com',
    'ada\u0000@example.com',
    'ada\u200b@example.com',
    'ada\ud800@example.com',
    '.ada@example.com',
    'ada.@example.com',
    'a..da@example.com',
    '"ada"@example.com',
    'ada@[127.0.0.1]',
    'ada@127.0.0.1',
    'ada@0x7f.1',
    'ada@ex%61mple.com',
    'ada@example.com/x',
    'ada@example.com:80',
    'ada@-example.com',
    'ada@example..com',
    'ada@.example.com',
    'ada@example.com.',
    'ada@exam_ple.com',
    'Ada <ada@example.com>',
    'ada@example.com,bob@example.com',
    'ada@xn--a.example',
    `${'a'.repeat(65)}@example.com`,
    `ada@${'a'.repeat(64)}.com`,
  ])('refuses %j', (typed) => {
    expect(parseEmail(typed)).toBeUndefined();
  });

  test('accepts 254 bytes and refuses 255, counted in bytes', () => {
    const domain = (length: number) =>
      `${'d'.repeat(60)}.${'e'.repeat(60)}.${'f'.repeat(60)}.${'g'.repeat(length - 183)}`;
    const local = 'é'.repeat(16);
    expect(Buffer.byteLength(parseEmail(`${local}@${domain(221)}`)?.email ?? '')).toBe(254);
    expect(parseEmail(`${local}@${domain(222)}`)).toBeUndefined();
  });

  test('the canonical form is its own canonical form, and no input makes it throw', () => {
    const arbitrary = fc.oneof(
      fc.emailAddress(),
      fc.string({ unit: 'grapheme' }).map((local) => `${local}@example.com`),
      fc.string({ unit: 'binary' }).map((domain) => `ada@${domain}.com`),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(arbitrary, (text) => {
        const parsed = parseEmail(text);
        if (parsed) expect(parseEmail(parsed.canonical)?.canonical).toBe(parsed.canonical);
      }),
      { numRuns: 2000 },
    );
  });

  test('letter case never makes two addresses of one', () => {
    fc.assert(
      fc.property(fc.emailAddress(), (text) => {
        expect(parseEmail(text.toUpperCase())?.canonical).toBe(parseEmail(text)?.canonical);
      }),
    );
  });
});
