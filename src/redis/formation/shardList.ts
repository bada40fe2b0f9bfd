/**
 * Reads `CLUSTER SHARDS`: which nodes a node takes for one shard.
 *
 * From Redis 7.2 and Valkey 8 on, a shard has an id of its own that replicas learn from their master by gossip, some
 * time after they follow it. A node that is stopped before has written a nodes.conf with a replica in another shard
 * than its master, and refuses to start with it ("corrupted cluster config file", seen on Valkey 8.0.1).
 */

/** True when every shard has exactly one master. */
export function everyShardHasItsMaster(reply: unknown): boolean {
  const shards = reply as readonly unknown[];
  return shards.every((shard) => {
    const nodes = field(shard, 'nodes') as readonly unknown[];
    return nodes.filter((node) => field(node, 'role') === 'master').length === 1;
  });
}

/** A map as RESP2 sends it: name, value, name, value, … */
function field(map: unknown, name: string): unknown {
  const flat = map as readonly unknown[];
  return flat[flat.indexOf(name) + 1];
}
