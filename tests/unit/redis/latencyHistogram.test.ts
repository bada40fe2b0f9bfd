import fc from 'fast-check';
import { LatencyHistogram } from '../../../src/redis/latencyHistogram.ts';

describe('the latency histogram', () => {
  it('is empty before the first latency', () => {
    const histogram = new LatencyHistogram();
    expect([histogram.count, histogram.mean, histogram.quantile(0.99)]).toEqual([0, 0, 0]);
  });

  it('gives quantiles that are right to an eighth, whatever the latencies', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.01, max: 60_000, noNaN: true }), { minLength: 1, maxLength: 200 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (latencies, q) => {
          const histogram = new LatencyHistogram();
          for (const ms of latencies) histogram.record(ms);
          const sorted = latencies.sort((a, b) => a - b);
          const exact = (sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1] ?? 0) / 1000;
          expect(histogram.quantile(q)).toBeGreaterThanOrEqual(exact);
          expect(histogram.quantile(q)).toBeLessThanOrEqual(exact * 1.125 + 1.2e-6);
        },
      ),
    );
  });

  it('averages exactly', () => {
    const histogram = new LatencyHistogram();
    for (const ms of [1, 2, 6]) histogram.record(ms);
    expect(histogram.mean).toBeCloseTo(0.003, 10);
    expect(histogram.sumSeconds).toBeCloseTo(0.009, 10);
  });

  it('counts as Prometheus does: each bound holds all that was faster', () => {
    const histogram = new LatencyHistogram();
    for (const ms of [0.05, 0.5, 5, 50, 5000]) histogram.record(ms);
    expect(histogram.cumulative([0.0001, 0.001, 0.01, 0.1, 1])).toEqual([1, 2, 3, 4, 4]);
  });

  it('takes what is out of its range', () => {
    const histogram = new LatencyHistogram();
    for (const ms of [-1, 0, 1e9]) histogram.record(ms);
    expect(histogram.count).toBe(3);
    expect(histogram.quantile(1)).toBeGreaterThan(60);
  });
});
