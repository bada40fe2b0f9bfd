/** Starts what all test files share: one 6-node cluster, one Postgres. */
import { startPostgres, type TestPostgres } from './postgres.ts';
import { startTestCluster, type TestCluster } from './redisCluster.ts';
import { sharedVariables } from './shared.ts';

/** What globalTeardown stops. */
export interface Shared {
  cluster: TestCluster;
  postgres: TestPostgres;
}

export default async function globalSetup(): Promise<void> {
  const [cluster, postgres] = await Promise.all([startTestCluster(), startPostgres()]);
  process.env[sharedVariables.cluster] = cluster.nodes.map(({ host, port }) => `${host}:${port}`).join(',');
  process.env[sharedVariables.postgres] = postgres.url;
  (globalThis as { sluiceShared?: Shared }).sluiceShared = { cluster, postgres };
}
