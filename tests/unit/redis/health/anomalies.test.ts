import { ActiveAnomalies, type Observation } from '../../../../src/redis/health/anomalies.ts';
import {
  balanceRules,
  CommandRules,
  JumpRule,
  LagRule,
  memoryRule,
} from '../../../../src/redis/health/anomalyRules.ts';
import { Baseline } from '../../../../src/redis/health/baseline.ts';
import { facts, node } from './facts.ts';

const observation = (state: Observation['state'], subject = 'a:1'): Observation => ({
  kind: 'memory',
  subject,
  state,
  message: 'm',
});

describe('active anomalies', () => {
  it('raise each once, and resolve it once', () => {
    const active = new ActiveAnomalies();
    const log = (['raise', 'raise', 'hold', 'clear', 'clear', 'raise'] as const).map((state, at) => {
      const { raised, resolved } = active.apply([observation(state)], at);
      return [raised.length, resolved.length];
    });
    expect(log).toEqual([
      [1, 0],
      [0, 0],
      [0, 0],
      [0, 1],
      [0, 0],
      [1, 0],
    ]);
    expect(active.list()).toEqual([{ kind: 'memory', subject: 'a:1', message: 'm', since: 5 }]);
  });

  it('resolve and forget what has left', () => {
    const active = new ActiveAnomalies();
    active.apply([observation('raise', 'a:1'), observation('raise', 'b:1')], 0);
    expect(active.apply([observation('raise', 'b:1')], 1).resolved.map(({ subject }) => subject)).toEqual(['a:1']);
    expect(active.list()).toHaveLength(1);
  });
});

describe('memory', () => {
  it.each([
    [0.5, 'clear'],
    [0.78, 'hold'],
    [0.81, 'raise'],
    [null, 'clear'],
  ])('at %p of its limit: %s', (memoryRatio, state) => {
    expect(memoryRule(node('a:1', { figures: { memoryRatio } })).state).toBe(state);
  });

  it('of a silent node is not known', () => {
    expect(memoryRule(node('a:1', { figures: null })).state).toBe('hold');
  });
});

describe('replication lag', () => {
  const states = (lags: (number | null)[]) => {
    const rule = new LagRule();
    return lags.map((lagBytes) => rule.look(node('b:1', { role: 'replica', lagBytes })).state);
  };

  it('that grows check after check is raised until it is down by half', () => {
    expect(states([0, 100_000, 200_000, 400_000, 390_000, null, 250_000, 150_000])).toEqual([
      'clear',
      'hold',
      'hold',
      'raise',
      'hold',
      'hold',
      'hold',
      'clear',
    ]);
  });

  it('that only goes up and down is not', () => {
    expect(states([0, 500_000, 100_000, 500_000, 100_000, 500_000])).not.toContain('raise');
  });

  it('of a few bytes is not, however it grows', () => {
    expect(states([1, 2, 3, 4, 5, 6, 7])).not.toContain('raise');
  });
});

describe('the balance of slots and keys', () => {
  const balance = (slots: number[], keys: number[]) => {
    const nodes = slots.map((slotCount, index) =>
      node(`n${index}:1`, { slotCount, figures: { keys: keys[index] ?? 0 } }),
    );
    return balanceRules(facts({ nodes })).map(({ state }) => state);
  };

  it('of a fresh cluster is even', () => {
    expect(balance([5461, 5462, 5461], [0, 0, 0])).toEqual(['clear', 'clear']);
  });

  it('is uneven with half of the slots on one of three masters', () => {
    expect(balance([8192, 4096, 4096], [0, 0, 0])[0]).toBe('raise');
  });

  it('is uneven with most keys on one master, but not while there are few', () => {
    expect(balance([5461, 5462, 5461], [90_000, 5000, 5000])[1]).toBe('raise');
    expect(balance([5461, 5462, 5461], [90, 5, 5])[1]).toBe('clear');
  });
});

describe('a jump', () => {
  const quiet = [5, 6, 5, 4, 5, 6, 5, 5];
  const after = (...values: number[]) => {
    const rule = new JumpRule();
    return [...quiet, ...values].map((value) => rule.look(value, 2).state).slice(quiet.length);
  };

  it('is seen when it lasts, and is over when the value is back', () => {
    expect(after(50, 50, 50, 5)).toEqual(['hold', 'raise', 'raise', 'clear']);
  });

  it('is not seen in one odd value, nor in ordinary ones', () => {
    expect(after(50, 5, 6, 4, 7)).toEqual(['hold', 'clear', 'clear', 'clear', 'clear']);
  });

  it('is not seen while the past is not known', () => {
    const rule = new JumpRule();
    expect([1000, 1, 1000, 1].map((value) => rule.look(value, 2).state)).not.toContain('raise');
  });

  it('that stays becomes the new normal in the end', () => {
    const states = after(...Array.from({ length: 300 }, () => 50));
    expect([states[1], states.at(-1)]).toEqual(['raise', 'clear']);
  });
});

describe('a baseline', () => {
  it('is the mean of the first values, and then follows the last ones', () => {
    const baseline = new Baseline();
    for (const value of [2, 4]) baseline.add(value, false);
    expect(baseline.mean).toBe(3);
    for (let i = 0; i < 50; i++) baseline.add(10, false);
    expect(baseline.mean).toBeCloseTo(10, 2);
  });
});

describe('commands', () => {
  /** Each step: commands since the last one, failures among them, mean ms. */
  const run = (steps: [count: number, failed: number, ms: number][]) => {
    const rules = new CommandRules();
    let total = 0;
    let failures = 0;
    let seconds = 0;
    return steps.map(([count, failed, ms]) => {
      total += count;
      failures += failed;
      seconds += ((count - failed) * ms) / 1000;
      const successful = total - failures;
      const avg = successful === 0 ? 0 : seconds / successful;
      const [latency, errors] = rules.look({
        operations: { total, successful, failed: failures, retried: 0 },
        latency: { p50: 0, p95: 0, p99: 0, avg },
      });
      return `${latency?.state} ${errors?.state}`;
    });
  };
  const calm: [number, number, number][] = Array.from({ length: 10 }, () => [1000, 0, 1]);

  it('that get slow or fail against their past are raised, by what happened between two checks', () => {
    expect(run([...calm, [1000, 0, 30], [1000, 0, 30]]).at(-1)).toBe('raise clear');
    expect(run([...calm, [1000, 200, 1], [1000, 200, 1]]).at(-1)).toBe('clear raise');
  });

  it('that are too few say nothing', () => {
    expect(run([...calm, [5, 5, 0], [5, 5, 0]]).at(-1)).toBe('hold hold');
  });
});
