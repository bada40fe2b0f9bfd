/** Facts of a made-up cluster, for the tests of what is concluded from them. */
import type { ClusterFacts, NodeFacts } from '../../../../src/redis/health/clusterFacts.ts';
import type { NodeFigures } from '../../../../src/redis/health/nodeFacts.ts';

const figures: NodeFigures = {
  version: '7.0.15',
  uptimeSeconds: 100,
  keys: 0,
  usedMemoryBytes: 1_000_000,
  maxMemoryBytes: 0,
  memoryRatio: null,
  fragmentationRatio: 1.1,
  clients: 3,
  opsPerSecond: 10,
  evictions: 0,
  keyspaceHits: 0,
  keyspaceMisses: 0,
  aof: 'ok',
  replicationOffset: 0,
};

/** A node that is well; `figures` null makes it silent. */
export function node(
  address: string,
  more: Partial<Omit<NodeFacts, 'figures'>> & { figures?: Partial<NodeFigures> | null } = {},
): NodeFacts {
  return {
    address,
    announced: address,
    id: address,
    answered: more.figures !== null,
    role: 'master',
    shard: 1,
    slots: '0-16383',
    slotCount: 16_384,
    masterId: null,
    link: null,
    lagBytes: null,
    answerMs: more.figures === null ? null : 1,
    problems: [],
    ...more,
    figures: more.figures === null ? null : { ...figures, ...more.figures },
  };
}

/** A cluster that is well, of a master and its replica on two hosts. */
export function facts(more: Partial<ClusterFacts> = {}): ClusterFacts {
  return {
    state: 'ok',
    slotsAssigned: 16_384,
    slotsServed: 16_384,
    mastersWithoutReplica: [],
    sharedHosts: [],
    hosts: 2,
    nodes: [
      node('a:1'),
      node('b:1', { role: 'replica', masterId: 'a:1', link: 'up', lagBytes: 0, slotCount: 0, slots: 'none' }),
    ],
    ...more,
  };
}
