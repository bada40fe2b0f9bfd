/**
 * Free ports for cluster nodes. A node takes two: the clients' and, 10,000 higher, the bus. Both lie below 32768,
 * where Linux begins to give ports to outgoing connections: a bus port from there is sooner or later in use.
 */
import { createServer } from 'node:net';

const lowestPort = 17_000;
const highestPort = 22_767;
const busOffset = 10_000;

/** Whether a node could listen there now. */
export async function isPortPairFree(host: string, port: number): Promise<boolean> {
  return (await isFree(host, port)) && (await isFree(host, port + busOffset));
}

/**
 * Begins at a random port, so that two programs that look at once seldom find the same.
 * @param taken ports not to be given out
 * @throws {Error} when none is free.
 */
export async function freePortPair(host: string, taken: ReadonlySet<number>, random: () => number): Promise<number> {
  const count = highestPort - lowestPort + 1;
  const start = Math.floor(random() * count);
  for (let step = 0; step < count; step++) {
    const port = lowestPort + ((start + step) % count);
    if (!taken.has(port) && (await isPortPairFree(host, port))) return port;
  }
  throw new Error(`No free port from ${lowestPort} to ${highestPort} on ${host} for a Redis node.`);
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
