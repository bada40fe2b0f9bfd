/** Which Redis is used, and what is gone on with when it is lost: read from the settings and checked against each other. */
import type { z } from 'zod';
import { createAttempt, type Attempt } from './attempt.ts';
import { numberedClusterNodes, parseClusterNodes, type NodeAddress } from './clusterNodes.ts';
import { parseRedisUrl, type SingleRedisAddress } from './redisUrl.ts';
import type { settings } from './settings.ts';

/** The Redis that is used while it can be. */
export type RedisPrimary =
  | {
      readonly mode: 'cluster';
      readonly nodes: readonly NodeAddress[];
      readonly username: string | undefined;
      readonly password: string | undefined;
      readonly tls: boolean;
      readonly reachVia: string | undefined;
    }
  | (SingleRedisAddress & { readonly mode: 'single' })
  | { readonly mode: 'upstash'; readonly url: string; readonly token: string }
  | { readonly mode: 'embedded'; readonly backend: 'auto' | 'cluster' | 'memory' };

/** The primary, its fallbacks, and what holds for all of them. */
export type RedisConfig = RedisPrimary & {
  readonly fallbacks: {
    /** Only beside a cluster. */
    readonly single: SingleRedisAddress | undefined;
    readonly memory: boolean;
  };
  /** Put before every key. */
  readonly keyPrefix: string;
  readonly commandTimeoutMs: number;
};

type Env = Readonly<Record<string, string | undefined>>;
type Values = Pick<
  z.infer<z.ZodObject<typeof settings>>,
  keyof typeof settings & (`REDIS_${string}` | `UPSTASH_${string}` | 'EMBEDDED_REDIS')
>;

/** Each problem is one line that begins with the variable's name and says the fix; with any, there is no `redis`. */
export function redisConfig(values: Values, given: Env): { redis: RedisConfig | undefined; problems: string[] } {
  const problems: string[] = [];
  const attempt = createAttempt(problems);
  const cluster = clusterOf(values, given, attempt);
  const single = singleOf(values, given, attempt);
  const upstash = upstashOf(values, problems);
  problems.push(...conflicts(values, { cluster, single, upstash }));
  const primary = cluster ?? single ?? upstash ?? { mode: 'embedded' as const, backend: values.EMBEDDED_REDIS };
  const redis: RedisConfig = {
    ...primary,
    fallbacks: {
      single: cluster !== undefined && single !== undefined ? addressOf(single) : undefined,
      memory: values.REDIS_FALLBACK_TO_MEMORY,
    },
    keyPrefix: values.REDIS_KEY_PREFIX,
    commandTimeoutMs: values.REDIS_COMMAND_TIMEOUT_MS,
  };
  return { redis: problems.length === 0 ? redis : undefined, problems };
}

type Named<Mode> = Extract<RedisPrimary, { mode: Mode }>;

function clusterOf(values: Values, given: Env, attempt: Attempt): Named<'cluster'> | undefined {
  const numbered = attempt('REDIS_NODE_*', () => numberedClusterNodes(given)) ?? [];
  const text = values.REDIS_CLUSTER_NODES;
  const listed = text === undefined ? [] : (attempt('REDIS_CLUSTER_NODES', () => parseClusterNodes(text)) ?? []);
  if (numbered.length > 0 && listed.length > 0) {
    attempt('REDIS_CLUSTER_NODES', () => {
      throw new Error('is set, and so is REDIS_NODE_1_HOST: keep one of the two');
    });
  }
  const nodes = [...listed, ...numbered];
  if (nodes.length === 0) return undefined;
  return {
    mode: 'cluster',
    nodes,
    username: values.REDIS_CLUSTER_USERNAME,
    password: values.REDIS_CLUSTER_PASSWORD,
    tls: values.REDIS_CLUSTER_TLS,
    reachVia: values.REDIS_CLUSTER_REACH_VIA,
  };
}

/** What REDIS_URL says already, so that it cannot be said a second time. */
const partsOfUrl = ['REDIS_HOST', 'REDIS_PORT', 'REDIS_USERNAME', 'REDIS_PASSWORD', 'REDIS_DB', 'REDIS_TLS'] as const;

function singleOf(values: Values, given: Env, attempt: Attempt): Named<'single'> | undefined {
  const url = values.REDIS_URL;
  if (url !== undefined) {
    return attempt('REDIS_URL', () => {
      const address = parseRedisUrl(url);
      const twice = partsOfUrl.filter(
        (name) => values[name] !== undefined && (name !== 'REDIS_PASSWORD' || address.password !== undefined),
      );
      if (twice.length > 0) throw new Error(`is set, and so is ${twice.join(', ')}: the URL says that already`);
      return { mode: 'single' as const, ...address, password: address.password ?? values.REDIS_PASSWORD };
    });
  }
  const host = values.REDIS_HOST;
  if (host === undefined) {
    // A port alone may be Kubernetes's; the others were meant.
    const alone = partsOfUrl.slice(2).filter((name) => given[name] !== undefined);
    for (const name of alone)
      attempt(name, () => {
        throw new Error('is set, but REDIS_HOST is not');
      });
    return undefined;
  }
  return attempt('REDIS_HOST', () => {
    const bare = host.replace(/^\[(.*)\]$/, '$1');
    if (!/^[A-Za-z0-9._:-]+$/.test(bare)) throw new Error('is not a host name or address (a URL goes into REDIS_URL)');
    return {
      mode: 'single' as const,
      host: bare,
      port: values.REDIS_PORT ?? 6379,
      db: values.REDIS_DB ?? 0,
      username: values.REDIS_USERNAME,
      password: values.REDIS_PASSWORD,
      tls: values.REDIS_TLS ?? false,
    };
  });
}

function upstashOf(values: Values, problems: string[]): Named<'upstash'> | undefined {
  const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = values;
  if (url !== undefined && token !== undefined) return { mode: 'upstash', url, token };
  if (url !== undefined) problems.push('UPSTASH_REDIS_REST_TOKEN: is missing beside UPSTASH_REDIS_REST_URL');
  if (token !== undefined) problems.push('UPSTASH_REDIS_REST_URL: is missing beside UPSTASH_REDIS_REST_TOKEN');
  return undefined;
}

function addressOf({ host, port, db, username, password, tls }: SingleRedisAddress): SingleRedisAddress {
  return { host, port, db, username, password, tls };
}

/** Two that are named and no word on which is the fallback: a guess would put counts where nobody looks for them. */
function conflicts(values: Values, named: { cluster: unknown; single: unknown; upstash: unknown }): string[] {
  const names = [
    ...(named.cluster === undefined
      ? []
      : [values.REDIS_CLUSTER_NODES === undefined ? 'REDIS_NODE_1_HOST' : 'REDIS_CLUSTER_NODES']),
    ...(named.single === undefined ? [] : [values.REDIS_URL === undefined ? 'REDIS_HOST' : 'REDIS_URL']),
    ...(named.upstash === undefined ? [] : ['UPSTASH_REDIS_REST_URL']),
  ];
  const [first = '', ...others] = names;
  const fallsBack = values.REDIS_FALLBACK_TO_SINGLE;
  if (named.upstash !== undefined && others.length > 0) {
    return [
      `${first}: is set, and so is ${others.join(' and ')}: keep one (Upstash cannot stand beside another Redis)`,
    ];
  }
  if (others.length > 0 && !fallsBack) {
    return [
      `${first}: is set, and so is ${others.join(' and ')}: keep one, or set REDIS_FALLBACK_TO_SINGLE=true to use the second when the cluster is lost`,
    ];
  }
  if (!fallsBack) return [];
  if (named.single === undefined)
    return [
      'REDIS_FALLBACK_TO_SINGLE: needs a single Redis beside the cluster: set REDIS_URL or REDIS_HOST, or leave this out',
    ];
  if (named.cluster === undefined)
    return ['REDIS_FALLBACK_TO_SINGLE: needs a cluster to fall back from: set REDIS_CLUSTER_NODES, or leave this out'];
  return [];
}
