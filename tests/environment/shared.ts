/** The cluster and the Postgres that globalSetup starts once for all test files. */
import type { NodeAddress } from '../../src/config/clusterNodes.ts';
import { parseClusterNodes } from '../../src/config/clusterNodes.ts';

/** Names of the variables by which globalSetup tells the test files. */
export const sharedVariables = { cluster: 'SLUICE_TEST_CLUSTER', postgres: 'SLUICE_TEST_POSTGRES' } as const;

/** The shared cluster: use keys of your own, kill nothing. */
export function sharedClusterNodes(): NodeAddress[] {
  return parseClusterNodes(read(sharedVariables.cluster));
}

/** The shared Postgres server: `createTestDatabase` makes a database of your own on it. */
export function sharedPostgresUrl(): string {
  return read(sharedVariables.postgres);
}

function read(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run the tests by npm test`);
  return value;
}
