/**
 * Asks each node for a sign of life, again and again: so a frozen node that has no traffic is known before a command
 * meets it, and each node's recent latency stays recent (`readFrom: 'nearest'`).
 */
import type { ClusterClient } from './clusterClient.ts';
import { noteLatency, type ClusterStats } from './clusterStats.ts';
import type { ShardBreakers } from './shardBreakers.ts';

/** Every `intervalMs` milliseconds; a node whose last ping is still under way is not asked again. */
export function startNodePings(
  { client, stats, breakers }: { client: ClusterClient; stats: ClusterStats; breakers: ShardBreakers },
  { intervalMs }: { intervalMs: number },
): { close(): void } {
  const underWay = new Set<string>();

  const ask = async (address: string) => {
    const tally = stats.tallyOf(address);
    const startedAt = performance.now();
    underWay.add(address);
    try {
      await client.ping(address);
      noteLatency(tally, performance.now() - startedAt);
      breakers.of(address).succeeded();
    } catch (error) {
      tally.failures += 1;
      breakers.of(address).failed(error as Error);
      client.reportTrouble();
    } finally {
      tally.lastHealthCheck = Date.now();
      underWay.delete(address);
    }
  };
  const round = () => {
    for (const address of client.nodes()) if (!underWay.has(address)) void ask(address);
  };
  const timer = setInterval(round, intervalMs);
  timer.unref();
  return { close: () => clearInterval(timer) };
}
