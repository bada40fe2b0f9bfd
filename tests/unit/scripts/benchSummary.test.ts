import { drawChart } from '../../../scripts/bench/chart.ts';
import { measure, percentile } from '../../../scripts/bench/measure.ts';
import { parseOptions } from '../../../scripts/bench/options.ts';
import { withSection } from '../../../scripts/bench/page.ts';
import type { Measurement } from '../../../scripts/bench/redisBench.ts';
import { markdownTable } from '../../../scripts/bench/report.ts';
import { median, summarise } from '../../../scripts/bench/summary.ts';

const slice = (client: Measurement['client'], done: number, more: Partial<Measurement> = {}): Measurement => ({
  client,
  operation: 'get',
  inFlight: 64,
  done,
  failed: 0,
  seconds: 1,
  p50: 1,
  p99: 2,
  cpuSeconds: 0.5,
  ...more,
});

describe('the summary of a bench', () => {
  it('takes the median over the rounds, and the CPU time for 100,000 commands', () => {
    const [line] = summarise([slice('sluice', 100), slice('sluice', 900), slice('sluice', 200)]);
    expect(line).toMatchObject({ perSecond: 200, range: [100, 900], cpuPer100k: 250 });
  });

  it('compares with the best setting of any other library, never with another setting of the same one', () => {
    const lines = summarise([
      slice('sluice', 90),
      slice('ioredis', 50),
      slice('ioredis-best', 100),
      slice('node-redis', 80),
    ]);
    expect(lines.map(({ ratio }) => ratio)).toEqual([0.9, 50 / 80, 100 / 80, 0.8]);
  });

  it('keeps operations and loads apart', () => {
    const lines = summarise([
      slice('sluice', 90),
      slice('ioredis', 10, { inFlight: 1 }),
      slice('ioredis', 10, { operation: 'set' }),
    ]);
    expect(lines).toHaveLength(3);
    expect(lines[0]?.ratio).toBeNaN();
    expect(markdownTable(lines)).toContain('| SET | 64 | ioredis, default | 10 |');
  });
});

describe('the middle', () => {
  it('is the middle value, or the mean of the two middle ones', () => {
    expect(median([9, 1, 2])).toBe(2);
    expect(median([1, 2, 4, 9])).toBe(3);
    expect(percentile([1, 2, 3, 4], 0.5)).toBe(3);
    expect(percentile([1, 2, 3, 4], 0.99)).toBe(4);
    expect(percentile([], 0.5)).toBeNaN();
  });
});

describe('a measured slice', () => {
  it('keeps the load that was asked for, counts failures apart and stops in time', async () => {
    let [underWay, most, calls] = [0, 0, 0];
    const call = async () => {
      const mine = ++calls;
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setImmediate(resolve));
      underWay -= 1;
      if (mine % 10 === 0) throw new Error('refused');
    };
    const client = { get: call, set: call, incr: call, close: () => Promise.resolve() };
    const result = await measure(client, { operation: 'get', inFlight: 7, seconds: 0.1 });
    expect(most).toBe(7);
    expect(underWay).toBe(0);
    expect(result.failed).toBeGreaterThan(0);
    expect(result.done + result.failed).toBe(calls);
    expect(result.p50).toBeLessThanOrEqual(result.p99);
  });
});

describe('the command line', () => {
  it('has defaults', () => {
    expect(parseOptions(['redis'])).toMatchObject({
      rounds: 3,
      inFlight: [1, 64, 512],
      operations: ['set', 'get', 'incr'],
    });
  });

  it.each([
    [[], 'which bench'],
    [['http'], 'which bench'],
    [['redis', '--clients', 'ioredis,jedis'], '"jedis" is not one of'],
    [['redis', '--rounds', '0'], '--rounds must be'],
    [['redis', '--in-flight', '1,,2'], '--in-flight must be'],
    [['redis', '--seconds', 'x'], '--seconds must be'],
  ])('names what is wrong in %j', (args, message) => {
    expect(() => parseOptions(args)).toThrow(message);
  });
});

describe('a page that several benches write', () => {
  it('gets a section added, and later replaced, and keeps the others', () => {
    const first = withSection('# Benchmarks\n', 'a', 'one');
    const both = withSection(first, 'b', 'two');
    const again = withSection(both, 'a', 'three');
    expect(again).toContain('# Benchmarks');
    expect(again).not.toContain('one');
    expect(again.indexOf('three')).toBeLessThan(again.indexOf('two'));
    expect(withSection(again, 'a', 'three')).toBe(again);
  });
});

describe('the chart', () => {
  it('has a panel an operation and load, and a bar a client', () => {
    const svg = drawChart(
      summarise([slice('sluice', 1000), slice('ioredis', 500), slice('sluice', 10, { operation: 'set' })]),
    );
    expect(svg.match(/<g /g)).toHaveLength(2);
    expect(svg).toContain('GET, 64 in flight');
    expect(svg).toContain('width="210.0"');
    expect(svg).toContain('width="105.0"');
  });
});
