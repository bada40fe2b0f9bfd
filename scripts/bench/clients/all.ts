/** Every client that is measured, by the name that `--clients` takes. */
import type { ClientUnderTest } from './client.ts';
import { ioredisBest, ioredisDefault } from './ioredis.ts';
import { nodeRedisBest, nodeRedisDefault } from './nodeRedis.ts';
import { sluice } from './sluice.ts';
import { valkeyGlideBest, valkeyGlideDefault } from './valkeyGlide.ts';

/** In the order of the tables. */
export const clients = {
  sluice,
  ioredis: ioredisDefault,
  'ioredis-best': ioredisBest,
  'node-redis': nodeRedisDefault,
  'node-redis-best': nodeRedisBest,
  'valkey-glide': valkeyGlideDefault,
  'valkey-glide-best': valkeyGlideBest,
} as const satisfies Record<string, ClientUnderTest>;

/** See {@link clients}. */
export type ClientName = keyof typeof clients;

/** All names, in the order of the tables. */
export const clientNames = Object.keys(clients) as ClientName[];
