/** valkey-glide's cluster client, as it comes and with more room for commands in flight. */
import { GlideClusterClient, Logger, type GlideClusterClientConfiguration } from '@valkey/valkey-glide';
import type { NodeAddress } from '../../../src/config/clusterNodes.ts';
import type { ClientUnderTest, MeasuredClient } from './client.ts';

async function connect(
  nodes: readonly NodeAddress[],
  options: Omit<GlideClusterClientConfiguration, 'addresses'>,
): Promise<MeasuredClient> {
  // Its core writes to the terminal otherwise.
  Logger.setLoggerConfig('off');
  const client = await GlideClusterClient.createClient({ addresses: nodes.map((node) => ({ ...node })), ...options });
  return {
    get: (key) => client.get(key),
    set: (key, value) => client.set(key, value),
    incr: (key) => client.incr(key),
    close: () => Promise.resolve(client.close()),
  };
}

/** Nothing set: 250 ms for a request, 1000 in flight. */
export const valkeyGlideDefault: ClientUnderTest = {
  title: 'valkey-glide, default',
  package: '@valkey/valkey-glide',
  settings: 'as it comes',
  connect: (nodes) => connect(nodes, {}),
};

/** Its protocol version and its limit in flight are all that it offers for speed. */
export const valkeyGlideBest: ClientUnderTest = {
  title: 'valkey-glide, tuned',
  package: '@valkey/valkey-glide',
  settings: '`inflightRequestsLimit: 10000`, `advancedConfiguration: { tcpNoDelay: true }`',
  connect: (nodes) => connect(nodes, { inflightRequestsLimit: 10_000, advancedConfiguration: { tcpNoDelay: true } }),
};
