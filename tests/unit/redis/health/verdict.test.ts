import { judge } from '../../../../src/redis/health/verdict.ts';
import { facts, node } from './facts.ts';

describe('the verdict', () => {
  it('on a whole cluster is healthy, without a reason', () => {
    expect(judge(facts())).toEqual({ status: 'healthy', reasons: [], notes: [] });
  });

  it.each([
    [
      'slots that nobody owns',
      facts({ slotsAssigned: 16_000, slotsServed: 16_000 }),
      '384 of 16384 slots belong to no node',
    ],
    ['slots of a silent master', facts({ slotsServed: 10_000 }), '6384 of 16384 slots are not served'],
    [
      'no node that answers',
      facts({ nodes: [node('a:1', { figures: null })], slotsServed: 0, slotsAssigned: 0 }),
      'no node answers',
    ],
    [
      'a node that sees the cluster failed',
      facts({ state: 'fail', nodes: [node('a:1', { problems: ['cluster_state is fail'] })] }),
      'cluster_state is fail in the eyes of a:1',
    ],
  ])('on %s is unhealthy', (_what, given, reason) => {
    const { status, reasons } = judge(given);
    expect([status, reasons[0]]).toEqual(['unhealthy', expect.stringContaining(reason)]);
  });

  it.each([
    [
      'a silent replica',
      facts({
        nodes: [node('a:1'), node('b:1', { role: 'replica', figures: null, problems: ['nothing listens there'] })],
      }),
      'replica b:1 does not answer (nothing listens there)',
    ],
    [
      'a broken copy',
      facts({ nodes: [node('a:1'), node('b:1', { role: 'replica', link: 'down' })] }),
      'b:1 has no complete copy of its master (link: down)',
    ],
    [
      'a master without a replica',
      facts({ mastersWithoutReplica: ['a:1'] }),
      'master a:1 has no replica that could take over',
    ],
    [
      'a failing append-only file',
      facts({ nodes: [node('a:1', { figures: { aof: 'failing' } })] }),
      'a:1 cannot write its append-only file',
    ],
    [
      'one shard on one host of several',
      facts({ sharedHosts: [{ host: 'a', shard: 1, nodes: ['a:1', 'a:2'] }] }),
      'shard 1 has 2 nodes on host a (a:1, a:2)',
    ],
  ])('on %s is degraded', (_what, given, reason) => {
    const { status, reasons } = judge(given);
    expect([status, reasons[0]]).toEqual(['degraded', expect.stringContaining(reason)]);
  });

  it('only notes that all nodes are on one host', () => {
    const { status, notes } = judge(facts({ hosts: 1, sharedHosts: [{ host: 'a', shard: 1, nodes: ['a:1', 'a:2'] }] }));
    expect([status, notes]).toEqual(['healthy', [expect.stringContaining('one host')]]);
  });
});
