import { register } from 'prom-client';
import { createMetrics, type MetricSources } from '../../../src/observability/metrics/metrics.ts';
import { parseExposition, valueOf } from '../../environment/exposition.ts';

function sources(
  breakers: { shard: number; state: 'closed' | 'half-open' | 'open' }[] = [],
): MetricSources & { total: number } {
  const given = {
    total: 10,
    redis: {
      nodes: () => ({ total: 6, connected: 5, master: 3, slave: 2 }),
      health: () => 1 as const,
      commands: () => ({ total: given.total, successful: 8, failed: 2, retried: 1 }),
      latency: () => ({ p50: 0.001, p95: 0.002, p99: 0.005, avg: 0.0012 }),
    },
    shards: {
      breakers: () => breakers,
      shards: () => [{ shard: 1, usedMemoryBytes: 1000, lagBytes: undefined }],
      anomalies: () => ({ memory: 1, lag: 0 }),
    },
    resources: {
      postgres: () => ({ total: 5, idle: 3, waiting: 1 }),
      hasher: () => ({ running: 2, waiting: 4, shed: 7 }),
    },
  };
  return given;
}

describe('the metrics of the cluster', () => {
  it('are exactly the four of the contract, with their labels', async () => {
    const text = await createMetrics(sources(), { processMetrics: false }).exposition('cluster');
    const families = parseExposition(text);
    const series = [...families.values()].flatMap(({ samples }) =>
      samples.map(({ name, labels }) => `${name} ${Object.values(labels).join()}`),
    );
    expect(series).toEqual([
      ...['total', 'connected', 'master', 'slave'].map((status) => `redis_cluster_nodes ${status}`),
      'redis_cluster_health ',
      ...['total', 'successful', 'failed', 'retried'].map((status) => `redis_cluster_commands_total ${status}`),
      ...['0.5', '0.95', '0.99', 'avg'].map((quantile) => `redis_cluster_latency_seconds ${quantile}`),
    ]);
    expect(families.get('redis_cluster_commands_total')?.type).toBe('counter');
    expect(valueOf(families, 'redis_cluster_latency_seconds', { quantile: '0.99' })).toBe(0.005);
  });

  it('are read anew at each scrape, and not added up', async () => {
    const given = sources();
    const metrics = createMetrics(given, { processMetrics: false });
    const read = async () =>
      valueOf(parseExposition(await metrics.exposition('cluster')), 'redis_cluster_commands_total', {
        status: 'total',
      });
    expect([await read(), await read()]).toEqual([10, 10]);
    given.total = 25;
    expect(await read()).toBe(25);
  });
});

describe('all metrics', () => {
  it('have the resources, the breakers by shard and the anomalies', async () => {
    const metrics = createMetrics(sources([{ shard: 2, state: 'open' }]), { processMetrics: false });
    const families = parseExposition(await metrics.exposition('all'));
    expect(valueOf(families, 'redis_circuit_breaker_state', { shard: '2' })).toBe(2);
    expect(valueOf(families, 'redis_cluster_anomalies', { kind: 'memory' })).toBe(1);
    expect(valueOf(families, 'postgres_pool_connections', { state: 'busy' })).toBe(2);
    expect(valueOf(families, 'password_hasher_shed_total')).toBe(7);
    expect(valueOf(families, 'redis_cluster_health')).toBe(1);
  });

  it('drop a breaker that is gone', async () => {
    const breakers: { shard: number; state: 'open' }[] = [
      { shard: 1, state: 'open' },
      { shard: 2, state: 'open' },
    ];
    const metrics = createMetrics(sources(breakers), { processMetrics: false });
    const count = async () =>
      parseExposition(await metrics.exposition('all')).get('redis_circuit_breaker_state')?.samples.length;
    expect(await count()).toBe(2);
    breakers.pop();
    expect(await count()).toBe(1);
  });

  it('count decisions by policy, outcome and who counted', async () => {
    const metrics = createMetrics(sources(), { processMetrics: false });
    const policy = { name: 'default' };
    metrics.decided({ policy, allowed: true, countedBy: 'store' });
    metrics.decided({ policy, allowed: true, countedBy: 'store' });
    metrics.decided({ policy, allowed: false, countedBy: 'insurance' });
    const families = parseExposition(await metrics.exposition('all'));
    const decisions = (outcome: string, counted_by: string) =>
      valueOf(families, 'rate_limit_decisions_total', { policy: 'default', outcome, counted_by });
    expect([decisions('allowed', 'store'), decisions('refused', 'insurance')]).toEqual([2, 1]);
  });

  it("keep prom-client's global registry empty", async () => {
    await createMetrics(sources()).exposition('all');
    expect(await register.metrics()).toBe('\n');
  });
});

describe('the reader of the text format', () => {
  it.each([
    ['a value that is no number', '# TYPE a gauge\na x\n'],
    ['a sample without a type', 'a 1\n'],
    ['a label that is not closed', '# TYPE a gauge\na{b="c} 1\n'],
    ['the same series twice', '# TYPE a gauge\na{b="c"} 1\na{b="c"} 2\n'],
    ['a histogram that shrinks', '# TYPE a histogram\na_bucket{le="1"} 5\na_bucket{le="+Inf"} 4\na_sum 1\na_count 4\n'],
    ['no end of line', '# TYPE a gauge\na 1'],
  ])('refuses %s', (_what, text) => {
    expect(() => parseExposition(text)).toThrow();
  });
});
