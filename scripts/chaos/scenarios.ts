/** What is done to the cluster. Each scenario begins on a fresh one, all clients calling. */
import type { NodeAddress } from '../../src/config/clusterNodes.ts';
import type { EmbeddedRedisCluster } from '../../src/embedded/redisCluster.ts';
import { installCable, type Cable } from './cable.ts';

/** What a scenario works with. */
export interface Stage {
  readonly cluster: EmbeddedRedisCluster;
  readonly signal: AbortSignal;
  /** Notes that a disturbance begins now. */
  readonly disturb: () => void;
  /** Lets the calls go on. */
  readonly wait: (seconds: number) => Promise<void>;
}

/** One scenario; what `prepare` installs is handed to `run`, and closed after it. */
export interface Scenario {
  readonly title: string;
  /** Before any client connects. */
  prepare?(stage: Stage): Promise<Cable>;
  run(stage: Stage, cable: Cable | undefined): Promise<void>;
}

/** Detection (2 s), election and reconnecting take 3 to 5 s: long enough to see whether a client finds the new master. */
const failoverSeconds = 8;
const healTimeoutMs = 30_000;

async function mastersOf(cluster: EmbeddedRedisCluster): Promise<NodeAddress[]> {
  const { nodes } = await cluster.view();
  return nodes.filter(({ role, slotCount }) => role === 'master' && slotCount > 0).map(({ address }) => address);
}

async function someMaster(cluster: EmbeddedRedisCluster): Promise<NodeAddress> {
  const [first] = await mastersOf(cluster);
  if (first === undefined) throw new Error('the cluster has no master');
  return first;
}

/** By the name that `--scenarios` takes, in the order of the page. */
export const scenarios = {
  calm: {
    title: 'nothing happens (what this machine adds by itself)',
    async run({ disturb, wait }) {
      disturb();
      await wait(6);
    },
  },
  'kill-masters': {
    title: 'SIGKILL each master in turn; each comes back after its failover',
    async run({ cluster, disturb, wait }) {
      for (const master of await mastersOf(cluster)) {
        disturb();
        await cluster.kill(master);
        await wait(failoverSeconds);
        await cluster.restart(master);
        await cluster.heal(healTimeoutMs);
        await wait(2);
      }
    },
  },
  'freeze-master': {
    title: 'SIGSTOP one master for 10 s: a hang, not a crash',
    async run({ cluster, disturb, wait }) {
      const master = await someMaster(cluster);
      disturb();
      await cluster.pause(master);
      try {
        await wait(failoverSeconds + 2);
      } finally {
        await cluster.resume(master);
      }
      await wait(3);
    },
  },
  'cut-network': {
    title: 'the network of one master swallows all bytes for 10 s, both ways, bus included',
    prepare: async ({ cluster, signal }) => installCable(cluster.nodes, await someMaster(cluster), signal),
    async run({ disturb, wait }, cable) {
      disturb();
      cable?.cut();
      await wait(failoverSeconds + 2);
      cable?.mend();
      await wait(4);
    },
  },
  'kill-shard': {
    title: 'SIGKILL a master and its replica; both are restarted after 5 s',
    async run({ cluster, disturb, wait }) {
      const { nodes } = await cluster.view();
      const master = nodes.find(({ role, slotCount }) => role === 'master' && slotCount > 0);
      const shard = nodes.filter(({ id, masterId }) => id === master?.id || masterId === master?.id);
      disturb();
      await Promise.all(shard.map(({ address }) => cluster.kill(address)));
      await wait(5);
      await Promise.all(shard.map(({ address }) => cluster.restart(address)));
      await cluster.heal(healTimeoutMs);
      await wait(5);
    },
  },
  'restart-all': {
    title: 'SIGKILL all six nodes at once and restart them',
    async run({ cluster, disturb, wait }) {
      disturb();
      await Promise.all(cluster.nodes.map((node) => cluster.kill(node)));
      await Promise.all(cluster.nodes.map((node) => cluster.restart(node)));
      await cluster.heal(healTimeoutMs);
      await wait(6);
    },
  },
} as const satisfies Record<string, Scenario>;

/** See {@link scenarios}. */
export type ScenarioName = keyof typeof scenarios;

/** All names, in the order of the page. */
export const scenarioNames = Object.keys(scenarios) as ScenarioName[];
