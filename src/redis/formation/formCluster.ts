/**
 * Makes a healthy cluster out of nodes in whatever state they are: fresh, half formed, restarted with old data, moved
 * to new addresses, with a wiped disk among them. It reads what every node believes, repairs what is wrong in small
 * steps and reads again, until nothing is wrong on any node or the time is up.
 *
 * Invariants: data is never flushed; a run on a healthy cluster changes nothing; a run that is killed at any point is
 * completed by the next one; roles that a failover has moved are not moved back.
 *
 * When what it depends on fails: a node that does not answer stops all repairs (what it holds is not known) and, when
 * the time is up, is named in the error; a command that is refused is tried again a second later, and the refusal is
 * part of the error.
 */
import type { NodeAddress } from '../../config/clusterNodes.ts';
import { pause } from '../../deadline.ts';
import type { Logger } from '../../observability/logger.ts';
import { viewOf, type ClusterView } from './clusterView.ts';
import { formatAddress, NodeConnection, type NodeAccess } from './nodeConnection.ts';
import { readNode, type NodeReading } from './nodeReading.ts';
import { planRepairs } from './planRepairs.ts';
import { describeRepair, repairCommand, type Repair } from './repairs.ts';

/** How to form. */
export interface FormationOptions extends NodeAccess {
  /** Replicas that each master is to have. */
  readonly replicas: number;
  /** Gives up after this long, in ms. */
  readonly timeoutMs: number;
  /** Is told of every repair at level debug. */
  readonly logger: Logger;
  /** Gives up at once when aborted. */
  readonly signal?: AbortSignal;
}

/** The healthy cluster. */
export interface FormedCluster extends ClusterView {
  /** Whether anything had to be repaired. */
  readonly changed: boolean;
}

/** The cluster is not healthy and the time is up; `problems` has the lines for each node that has any. */
export class FormationTimeout extends Error {
  override readonly name = 'FormationTimeout';
  readonly problems: ReadonlyMap<string, readonly string[]>;

  constructor(timeoutMs: number, problems: ReadonlyMap<string, readonly string[]>) {
    const lines = [...problems].map(([node, list]) => `  - ${node}: ${list.join('; ')}`);
    super(`The Redis Cluster is not whole after ${timeoutMs} ms:\n${lines.join('\n')}`);
    this.problems = problems;
  }
}

const pollMs = 100;
/** A repair shows on the node that was told at once, on the others by gossip; it is not repeated before. */
const repeatAfterMs = 1000;

/**
 * @param nodes the whole cluster, host names or addresses
 * @throws {FormationTimeout} naming what is still wrong, node by node.
 * @throws {FormationRefused} when only a person can say which data is to be kept.
 * @throws {RangeError} when there are too few nodes for three masters, below which no failover finds a majority.
 */
export async function formCluster(nodes: readonly NodeAddress[], options: FormationOptions): Promise<FormedCluster> {
  const { replicas, timeoutMs, logger, signal } = options;
  const fewest = 3 * (1 + replicas);
  if (nodes.length < fewest) {
    throw new RangeError(
      `A cluster with ${replicas} replica(s) a master needs at least ${fewest} nodes, not ${nodes.length}.`,
    );
  }
  const connections = nodes.map((address) => new NodeConnection(address, options));
  const crew = new RepairCrew(connections, logger);
  const giveUpAt = performance.now() + timeoutMs;
  try {
    for (;;) {
      const readings = await Promise.all(connections.map(readNode));
      const view = viewOf(readings, replicas);
      if (view.healthy) return { ...view, changed: crew.changed };
      if (performance.now() > giveUpAt) throw new FormationTimeout(timeoutMs, listProblems(view, crew));
      const answered = readings.filter((reading) => reading.answered);
      if (answered.length === nodes.length) await crew.carryOut(planRepairs(answered, replicas));
      await pause(pollMs, signal);
    }
  } finally {
    for (const connection of connections) connection.close();
  }
}

function listProblems(view: ClusterView, crew: RepairCrew): Map<string, string[]> {
  const entries = view.nodes.map(({ address, problems }): [string, string[]] => {
    const node = formatAddress(address);
    return [node, [...problems, ...crew.refusals(node)]];
  });
  return new Map(entries.filter(([, problems]) => problems.length > 0));
}

/** Carries repairs out, one by one, none twice within a second. */
class RepairCrew {
  readonly #connections: readonly NodeConnection[];
  readonly #logger: Logger;
  readonly #sentAt = new Map<string, number>();
  readonly #refusals = new Map<string, string>();
  changed = false;

  constructor(connections: readonly NodeConnection[], logger: Logger) {
    this.#connections = connections;
    this.#logger = logger;
  }

  async carryOut(repairs: readonly Repair[]): Promise<void> {
    for (const repair of repairs) {
      const node = formatAddress(repair.on.address);
      const step = describeRepair(repair);
      const key = keyOf(repair);
      if (performance.now() - (this.#sentAt.get(key) ?? -Infinity) < repeatAfterMs) continue;
      this.#sentAt.set(key, performance.now());
      await this.#send(repair, node, step);
    }
  }

  /** The latest refusal of a node, if its latest repair was refused. */
  refusals(node: string): string[] {
    const refusal = this.#refusals.get(node);
    return refusal === undefined ? [] : [refusal];
  }

  async #send(repair: Repair, node: string, step: string): Promise<void> {
    const connection = this.#connectionOf(repair.on);
    try {
      await connection.call(...repairCommand(repair));
      this.changed = true;
      this.#refusals.delete(node);
      this.#logger.debug({ node, step }, 'cluster repair');
    } catch (error) {
      const reason = (error as Error).message;
      this.#refusals.set(node, `refused to ${step}: ${reason}`);
      this.#logger.warn({ node, step, reason }, 'cluster repair refused');
    }
  }

  #connectionOf(reading: NodeReading): NodeConnection {
    const connection = this.#connections.find(({ address }) => address === reading.address);
    if (connection === undefined) throw new Error('a reading without its connection');
    return connection;
  }
}

/** A meeting is one for both sides: the second half of it is already on its way. */
function keyOf(repair: Repair): string {
  const node = `${repair.on.meet.ip}:${repair.on.meet.port}`;
  if (repair.kind !== 'meet') return `${node} ${describeRepair(repair)}`;
  return `meet ${[node, `${repair.who.ip}:${repair.who.port}`].sort().join(' ')}`;
}
