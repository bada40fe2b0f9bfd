/** Ends a connection in order, but not at any price. */
import type { Cluster, Redis } from 'ioredis';
import { patiently } from '../deadline.ts';

const patienceMs = 500;

/** QUIT waits for answers that are still on their way, but a frozen server must not hold up the shutdown. */
export async function quitPatiently(client: Redis | Cluster): Promise<void> {
  await patiently(client.quit(), patienceMs);
  client.disconnect();
}
