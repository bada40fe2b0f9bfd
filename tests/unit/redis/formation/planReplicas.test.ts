/** The replicas of clusters that a test machine does not have: several hosts, uneven shards, dead masters. */
import { clusterPicture } from '../../../../src/redis/formation/clusterPicture.ts';
import type { NodeReading } from '../../../../src/redis/formation/nodeReading.ts';
import type { NodeRow } from '../../../../src/redis/formation/nodeTable.ts';
import { planReplicas } from '../../../../src/redis/formation/planReplicas.ts';
import type { SlotRange } from '../../../../src/redis/formation/slots.ts';

interface Sketch {
  host: string;
  slots?: SlotRange[];
  masterId?: string;
  keys?: number;
}

/** Nodes `n0`, `n1`, … that all know of each other, and of rows that no node answers for. */
function cluster(sketches: Sketch[], strangers: NodeRow[] = []): NodeReading[] {
  const rows = sketches.map(({ host, slots = [], masterId }, index): NodeRow => {
    const flags = [masterId === undefined ? 'master' : 'slave'];
    return {
      id: `n${index}`,
      host,
      port: 7000 + index,
      busPort: 17_000 + index,
      flags,
      masterId,
      configEpoch: index,
      linked: true,
      slots,
      openSlots: 0,
    };
  });
  return rows.map((self, index): NodeReading => {
    const { host = '', keys = 0 } = sketches[index] ?? {};
    const role = self.masterId === undefined ? 'master' : 'replica';
    return {
      ...{
        answered: true,
        address: { host, port: self.port },
        self,
        rows: [...rows, ...strangers],
        state: 'ok',
        slotsOk: 16_384,
        shardsKnown: true,
      },
      ...{
        meet: { ip: host, name: undefined, port: self.port, busPort: self.busPort },
        role,
        link: undefined,
        keys,
      },
      ...{ usedMemoryBytes: 0, maxMemoryBytes: 0, version: '7.0.15', info: new Map<string, string>() },
    };
  });
}
const plan = (nodes: NodeReading[], wanted = 1) =>
  planReplicas(clusterPicture(nodes), [], wanted).map(({ on, master }) => `${on.self.id}→${master.self.id}`);
const thirds: SlotRange[][] = [[[0, 5460]], [[5461, 10_922]], [[10_923, 16_383]]];
const masters = (...hosts: string[]): Sketch[] => hosts.map((host, index) => ({ host, slots: thirds[index] ?? [] }));

describe('replicas', () => {
  it('stand on another host than their master, also where the first pairing would not have it so', () => {
    const nodes = cluster([...masters('a', 'b', 'c'), { host: 'a' }, { host: 'b' }, { host: 'c' }]);
    const pairs = planReplicas(clusterPicture(nodes), [], 1);
    expect(pairs).toHaveLength(3);
    for (const { on, master } of pairs) expect(on.meet.ip).not.toBe(master.meet.ip);
    expect(new Set(pairs.map(({ master }) => master)).size).toBe(3);
  });

  it('are given to the master that has none', () => {
    expect(
      plan(
        cluster([
          ...masters('a', 'a', 'a'),
          { host: 'a', masterId: 'n0' },
          { host: 'a', masterId: 'n2' },
          { host: 'a' },
        ]),
      ),
    ).toEqual(['n5→n1']);
  });

  it('are taken from a master with two for one with none', () => {
    const nodes = cluster([
      ...masters('a', 'a', 'a'),
      { host: 'a', masterId: 'n0' },
      { host: 'a', masterId: 'n0' },
      { host: 'a', masterId: 'n2' },
    ]);
    expect(plan(nodes)).toEqual(['n4→n1']);
  });

  it('are left where they are in a cluster that is whole', () => {
    const nodes = cluster([
      ...masters('a', 'a', 'a'),
      ...[0, 1, 2].map((index) => ({ host: 'a', masterId: `n${index}` })),
    ]);
    expect(plan(nodes)).toEqual([]);
  });

  it('are not made of a node that holds keys', () => {
    expect(plan(cluster([...masters('a', 'a', 'a'), { host: 'a', keys: 3 }]))).toEqual([]);
  });

  it('of a dead master that still owns slots stay with it: they hold the only copy', () => {
    const dead: NodeRow = {
      ...{ id: 'dead', host: 'z', port: 1, busPort: 2, flags: ['master', 'fail'], masterId: undefined },
      ...{ configEpoch: 9, linked: false, slots: thirds[2] ?? [], openSlots: 0 },
    };
    const nodes = cluster(
      [
        ...masters('a', 'a'),
        { host: 'a', masterId: 'n0' },
        { host: 'a', masterId: 'n1' },
        { host: 'a', masterId: 'dead' },
        { host: 'a' },
      ],
      [dead],
    );
    // The idle node waits, too: after the failover the new master will want it.
    expect(plan(nodes)).toEqual([]);
  });

  it('of a dead master whose slots have moved on find another master', () => {
    const nodes = cluster([
      ...masters('a', 'a', 'a'),
      { host: 'a', masterId: 'n0' },
      { host: 'a', masterId: 'n1' },
      { host: 'a', masterId: 'gone' },
    ]);
    expect(plan(nodes)).toEqual(['n5→n2']);
  });
});
