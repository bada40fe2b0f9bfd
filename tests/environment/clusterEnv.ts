/** Environment for a service on given servers. */
import type { NodeAddress } from '../../src/config/clusterNodes.ts';

/** `REDIS_CLUSTER_NODES`, `DATABASE_URL` and a key prefix of the test file's own. */
export function serviceEnv(
  nodes: readonly NodeAddress[],
  databaseUrl: string,
  keyPrefix = freshPrefix(),
): Record<string, string> {
  return {
    REDIS_CLUSTER_NODES: nodes.map(({ host, port }) => `${host}:${port}`).join(','),
    DATABASE_URL: databaseUrl,
    REDIS_KEY_PREFIX: keyPrefix,
  };
}

/** A key prefix that no other test uses. */
export function freshPrefix(): string {
  return `test:${process.pid}:${Math.random().toString(36).slice(2)}:`;
}
