import { everyShardHasItsMaster } from '../../../../src/redis/formation/shardList.ts';

const node = (role: string) => ['id', 'x', 'port', 7000, 'role', role, 'health', 'online'];
const shard = (...roles: string[]) => ['slots', [0, 5460], 'nodes', roles.map(node)];

describe('the list of shards', () => {
  it('is good when each master has its replicas beside it', () => {
    expect(everyShardHasItsMaster([shard('master', 'replica'), shard('replica', 'master', 'replica')])).toBe(true);
  });

  it('is not when a replica still stands in a shard of its own', () => {
    expect(everyShardHasItsMaster([shard('master'), shard('replica')])).toBe(false);
  });

  it('is not when two masters share a shard, as after a failover that not all have heard of', () => {
    expect(everyShardHasItsMaster([shard('master', 'master')])).toBe(false);
  });
});
