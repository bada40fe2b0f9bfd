/**
 * Reads the slot map again when something went wrong, so that a promoted replica is found as soon as the cluster
 * names it, without a storm: each read opens a connection, so there is at most one every `minIntervalMs`, with jitter.
 *
 * One read is not enough: for the node timeout (seconds) the cluster itself still names the dead master. So trouble
 * keeps the reads going for as long as it is reported, and the last report is followed by one more read.
 */
import type { Cluster } from 'ioredis';

/** See the module's header. */
export interface TopologyRefresh {
  soon(): void;
  close(): void;
}

/** Refreshes `cluster` at most every `minIntervalMs` milliseconds (200). */
export function createTopologyRefresh(
  cluster: Pick<Cluster, 'refreshSlotsCache' | 'status'>,
  { random = Math.random, minIntervalMs = 200 }: { random?: () => number; minIntervalMs?: number } = {},
): TopologyRefresh {
  let timer: NodeJS.Timeout | undefined;
  let wanted = false;
  let closed = false;

  const read = () => {
    wanted = false;
    timer = setTimeout(
      () => {
        timer = undefined;
        if (wanted) read();
      },
      minIntervalMs * (0.5 + random()),
    );
    timer.unref();
    // While the cluster is not ready, ioredis is reconnecting and reads the slots by itself.
    if (cluster.status === 'ready') cluster.refreshSlotsCache(() => undefined);
  };

  return {
    soon() {
      if (closed) return;
      wanted = true;
      if (timer === undefined) read();
    },
    close() {
      closed = true;
      wanted = false;
      clearTimeout(timer);
    },
  };
}
