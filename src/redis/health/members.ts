/**
 * Asks every node of the cluster: the configured ones, and those that they know of, over one connection each that is
 * kept between rounds. Nodes that left the cluster are let go. A node that is late is a reading like any other.
 */
import type { NodeAddress } from '../../config/clusterNodes.ts';
import { within } from '../../deadline.ts';
import { undiscovered } from '../formation/clusterView.ts';
import { formatAddress, NodeConnection, type NodeAccess } from '../formation/nodeConnection.ts';
import { readNode, type NodeReading, type SilentNode } from '../formation/nodeReading.ts';
import type { NodeFacts, Remembered, TimedReading } from './clusterFacts.ts';

/** Who is asked and how. */
export interface MemberOptions extends Omit<NodeAccess, 'commandTimeoutMs'> {
  readonly nodes: readonly NodeAddress[];
  /** The host at which to reach nodes that are not configured, instead of what they announce. */
  readonly reachVia?: string | undefined;
  /** Longest time of one round in ms, the asking of newly found nodes included. */
  readonly timeoutMs: number;
}

/** See the module's header. */
export interface Members {
  /** One reading a node; ends within the timeout and never throws. */
  readAll(): Promise<TimedReading[]>;
  /** What was last known of each node, by address. */
  readonly remembered: Remembered;
  /** Notes what a check found out. */
  remember(nodes: readonly NodeFacts[]): void;
  close(): void;
}

/** A cluster has at most about a thousand nodes; what names more is not believed. */
const maxMembers = 1000;

/** `now` in ms, monotonic. */
export function createMembers({ now }: { now: () => number }, options: MemberOptions): Members {
  const roundMs = Math.max(1, Math.floor(options.timeoutMs / 2));
  const connections = new Map<string, NodeConnection>();
  const remembered = new Map<string, Pick<NodeFacts, 'id' | 'role' | 'announced'>>();
  const configured = new Set(options.nodes.map(formatAddress));
  let closed = false;

  const connect = (address: NodeAddress): void => {
    const key = formatAddress(address);
    if (closed || connections.has(key) || connections.size >= maxMembers) return;
    connections.set(key, new NodeConnection(address, { ...options, commandTimeoutMs: roundMs }));
  };
  const readOne = async (connection: NodeConnection): Promise<TimedReading> => {
    const startedAt = now();
    const reading = await inTime(connection, roundMs);
    return { reading, answerMs: now() - startedAt };
  };

  const forget = (key: string): void => {
    connections.get(key)?.close();
    connections.delete(key);
    remembered.delete(key);
  };
  /** Not configured, and no other node that answers lists it: it has left. Where no other answers, nobody can tell. */
  const isStranger = (reading: NodeReading | SilentNode, all: readonly TimedReading[]): boolean => {
    const key = formatAddress(reading.address);
    const id = reading.answered ? reading.self.id : remembered.get(key)?.id;
    const others = all.map((timed) => timed.reading).filter((other) => other !== reading && other.answered);
    if (configured.has(key) || id === undefined || others.length === 0) return false;
    return !others.some((other) => other.answered && other.rows.some((row) => row.id === id));
  };

  return {
    remembered,
    async readAll() {
      for (const address of options.nodes) connect(address);
      const first = await Promise.all([...connections.values()].map(readOne));
      const readings = first.map(({ reading }) => reading);
      const found = undiscovered(
        readings,
        options.reachVia,
        [...remembered.values()].map(({ id }) => id),
      );
      for (const address of found) connect(address);
      const keys = new Set(found.map(formatAddress));
      const second = [...connections].filter(([key]) => keys.has(key)).map(([, connection]) => readOne(connection));
      const all = [...first, ...(await Promise.all(second))];
      const strangers = new Set(all.map(({ reading }) => reading).filter((reading) => isStranger(reading, all)));
      for (const { address } of strangers) forget(formatAddress(address));
      return all.filter(({ reading }) => !strangers.has(reading));
    },
    remember(nodes) {
      for (const { address, id, role, announced } of nodes)
        if (id !== '') remembered.set(address, { id, role, announced });
    },
    close() {
      closed = true;
      for (const connection of connections.values()) connection.close();
      connections.clear();
    },
  };
}

async function inTime(connection: NodeConnection, ms: number): Promise<NodeReading | SilentNode> {
  const signal = AbortSignal.timeout(ms);
  try {
    const reading = await within(signal, readNode(connection));
    // A kept connection may have died since the last round, of a node that is up again: only a new one can tell.
    return reading.answered ? reading : await within(signal, readNode(connection));
  } catch {
    // What is still under way on it fails at once, instead of meeting the next round.
    connection.close();
    return { answered: false, address: connection.address, reason: `no answer within ${ms} ms` };
  }
}
