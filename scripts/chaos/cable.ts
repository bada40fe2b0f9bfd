/**
 * Puts proxies into a running cluster so that one node's network can be cut: its client port, its bus port, and, as a
 * node also calls the others, what it sends to the bus ports of the others. A bus message names its sender, by which a
 * proxy knows whose connection it is.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeAddress } from '../../src/config/clusterNodes.ts';
import { NodeConnection } from '../../src/redis/formation/nodeConnection.ts';
import { startSwallowingProxy, type SwallowingProxy } from './swallowingProxy.ts';

/** The way to and from one node. */
export interface Cable {
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

const busOffset = 10_000;
/** In the header of a bus message: where the sender's name of 40 characters begins. */
const senderAt = 40;
const settleTimeoutMs = 15_000;

/** Resolves when all other nodes know the node by its proxy. */
export async function installCable(
  nodes: readonly NodeAddress[],
  victim: NodeAddress,
  signal: AbortSignal,
): Promise<Cable> {
  let isCut = false;
  const proxies: SwallowingProxy[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(proxies.map((proxy) => proxy.close()));
  };
  try {
    const name = String(await ask(victim, 'CLUSTER', 'MYID'));
    const sentByVictim = (head: Buffer | undefined): boolean =>
      head !== undefined && head.toString('latin1', senderAt, senderAt + name.length) === name;
    for (const node of nodes) {
      const isVictim = node.port === victim.port;
      const bus = await startSwallowingProxy(
        node.host,
        node.port + busOffset,
        (head) => isCut && (isVictim || sentByVictim(head)),
      );
      proxies.push(bus);
      await ask(node, 'CONFIG', 'SET', 'cluster-announce-bus-port', bus.port);
    }
    const front = await startSwallowingProxy(victim.host, victim.port, () => isCut);
    proxies.push(front);
    await ask(victim, 'CONFIG', 'SET', 'cluster-announce-port', front.port);
    await untilKnown(
      nodes.filter(({ port }) => port !== victim.port),
      `${front.port}`,
      signal,
    );
  } catch (error) {
    await close();
    throw error;
  }
  return {
    cut: () => void (isCut = true),
    mend() {
      isCut = false;
      for (const proxy of proxies) proxy.endCut();
    },
    close,
  };
}

async function untilKnown(others: readonly NodeAddress[], port: string, signal: AbortSignal): Promise<void> {
  const giveUpAt = performance.now() + settleTimeoutMs;
  for (const node of others) {
    while (!String(await ask(node, 'CLUSTER', 'NODES')).includes(`:${port}@`)) {
      if (performance.now() > giveUpAt) throw new Error('the nodes did not take over the announced port');
      await sleep(100, undefined, { signal });
    }
  }
  // The old bus connections, which bypass the proxies, are replaced one by one after the address has changed.
  await sleep(3000, undefined, { signal });
}

async function ask(address: NodeAddress, command: string, ...args: (string | number)[]): Promise<unknown> {
  const connection = new NodeConnection(address, { commandTimeoutMs: 5000 });
  try {
    return await connection.call(command, ...args);
  } finally {
    connection.close();
  }
}
