import type { Outcome } from '../../../scripts/loadTest/fire.ts';
import { parseOptions } from '../../../scripts/loadTest/options.ts';
import { strip, summary } from '../../../scripts/loadTest/report.ts';
import { judge } from '../../../scripts/loadTest/verdict.ts';

const quota = 30;
const pass = (remaining: number): Outcome => ({
  status: 200,
  ms: 1,
  quota,
  remaining,
  windowSeconds: 60,
  resetSeconds: 60,
});
const refuse = (): Outcome => ({ status: 429, ms: 1, quota, remaining: 0, retryAfter: 42 });
const window = (length = quota, from = quota - 1) => Array.from({ length }, (_, index) => pass(from - index));
const refusals = (count: number) => Array.from({ length: count }, refuse);

describe('the verdict', () => {
  it('is good for 30 allowed and 35 refused, in whatever order the answers came', () => {
    const outcomes = [...refusals(35), ...window().reverse()];
    expect(judge(outcomes)).toMatchObject({ allowed: 30, refused: 35, windows: 1, faults: [] });
  });

  it('is good for fewer requests than the quota, and for runs over several windows', () => {
    expect(judge(window(12)).faults).toEqual([]);
    expect(judge([...window(), ...refusals(5), ...window(), ...refusals(5), ...window(7)])).toMatchObject({
      windows: 3,
      faults: [],
    });
  });

  it('is good for a window that was partly used before, when that is known', () => {
    const outcomes = [...window(10, 9), ...refusals(5)];
    expect(judge(outcomes, false).faults).toEqual([]);
    expect(judge(outcomes, true).faults).not.toEqual([]);
    expect(judge(refusals(65), false).faults).toEqual([]);
  });

  it.each<[string, Outcome[]]>([
    ['one too many passed', [...window(), pass(0), ...refusals(34)]],
    ['one too few passed', [...window().slice(0, 29), ...refusals(36)]],
    ['two saw the same count', [...window().slice(1), pass(20), ...refusals(35)]],
    ['one was refused too early', [...window(20), ...refusals(10)]],
    ['one was not answered', [...window(), ...refusals(34), { status: 0, ms: 5000, error: 'timeout' }]],
    ['one failed', [...window(), ...refusals(34), { status: 500, ms: 1, quota }]],
    ['nothing is limited', Array.from({ length: 65 }, () => ({ status: 200, ms: 1 }))],
    ['a refusal has no Retry-After', [...window(), { status: 429, ms: 1, quota, remaining: 0 }]],
  ])('is bad when %s', (_what, outcomes) => {
    expect(judge(outcomes).faults).not.toEqual([]);
  });
});

describe('the report', () => {
  it('shows each request as one sign, and the totals', () => {
    const outcomes = [...window(), ...refusals(35)];
    expect(strip(outcomes)).toMatch(/^\.{30}x{35} /);
    const text = summary(outcomes, judge(outcomes), 0.5);
    expect(text).toContain('allowed    30');
    expect(text).toContain('refused    35 with 429, Retry-After 42 s');
    expect(text).toContain('kept exactly: 30 requests a window, 1 window');
  });
});

describe('the options', () => {
  it('are 65 requests to /health by default', () => {
    expect(parseOptions([], 3000)).toMatchObject({
      count: 65,
      concurrency: 10,
      wait: true,
      url: new URL('http://127.0.0.1:3000/health'),
    });
  });

  it.each([
    ['--count', '0'],
    ['--count', 'many'],
    ['--concurrency', '501'],
    ['--url', 'ftp://x'],
    ['--bogus', '1'],
  ])('refuse %s %s by name', (name, value) => {
    expect(() => parseOptions([name, value], 3000)).toThrow(name);
  });
});
