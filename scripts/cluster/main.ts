/**
 * `npm run cluster -- up|status|failover|down`: the local cluster by hand; status and failover --manual also for the one in
 * REDIS_CLUSTER_NODES. Exit code 0: done and healthy; 1: not; 2: bad arguments.
 */
import { parseArgs } from 'node:util';
import {
  embeddedRedisOwner,
  openEmbeddedRedisCluster,
  startEmbeddedRedisCluster,
} from '../../src/embedded/redisCluster.ts';
import { readClusterView } from '../../src/redis/formation/clusterView.ts';
import { failover } from './failover.ts';
import { clusterTarget, localOptions, type ClusterTarget } from './target.ts';
import { drawTopology } from './topology.ts';

const usage = `npm run cluster -- <command> [options]

  up          starts a local 6-node cluster, or repairs it; it runs until "down"
  status      draws the cluster; exit code 1 when it is not healthy
  failover    kills a master while calling the service, and shows what callers saw
                --url URL     the service            (http://127.0.0.1:$PORT)
                --rate N      calls a second         (50, at most 200)
                --node H:P    the master to take     (the one that counts our calls)
                --manual      CLUSTER FAILOVER, nobody is killed
  down        stops the local cluster; its data stays
`;

const say = (text: string): void => void process.stdout.write(text);
const colour = process.stdout.isTTY && (process.env['NO_COLOR'] ?? '') === '';

async function up(target: ClusterTarget): Promise<number> {
  if (target.redis.mode === 'cluster') {
    throw new Error('REDIS_CLUSTER_NODES is set: that cluster is not started here (unset it for a local one)');
  }
  const startedAt = performance.now();
  const cluster = await startEmbeddedRedisCluster(await localOptions(target));
  say(drawTopology(await cluster.view(), colour));
  const nodes = cluster.nodes.map(({ host, port }) => `${host}:${port}`).join(',');
  say(
    `${cluster.adopted ? 'was running' : `up in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`}; npm start uses it\n`,
  );
  say(`from elsewhere: REDIS_CLUSTER_NODES=${nodes}\n`);
  return 0;
}

async function status(target: ClusterTarget): Promise<number> {
  const { redis } = target;
  const local = redis.mode === 'embedded' ? await openEmbeddedRedisCluster(await localOptions(target)) : undefined;
  if (redis.mode === 'embedded' && local === undefined) {
    say('no local cluster is running; npm run cluster -- up starts one\n');
    return 1;
  }
  const view =
    redis.mode === 'cluster' ? await readClusterView(redis.nodes, { ...redis, discover: true }) : await local?.view();
  if (view !== undefined) say(drawTopology(view, colour));
  return view?.healthy === true ? 0 : 1;
}

async function down(target: ClusterTarget): Promise<number> {
  const options = await localOptions(target);
  const owner = await embeddedRedisOwner(options.dir);
  const cluster = await openEmbeddedRedisCluster(options);
  if (cluster === undefined) {
    say('no local cluster is running\n');
    return 0;
  }
  if (owner !== undefined) {
    throw new Error(`the cluster belongs to a running service (pid ${owner}) and stops with it`);
  }
  await cluster.stopAll();
  say(`stopped; the data stays in ${options.dir}\n`);
  return 0;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      url: { type: 'string' },
      rate: { type: 'string', default: '50' },
      node: { type: 'string' },
      manual: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const [command, ...rest] = positionals;
  const target = clusterTarget(process.env);
  if (values.help) {
    say(usage);
    return 0;
  }
  const rate = Number(values.rate);
  const url = values.url ?? `http://127.0.0.1:${target.port}`;
  if (rest.length > 0 || !(rate >= 1 && rate <= 200) || !URL.canParse(url) || !url.startsWith('http://'))
    return misuse();
  switch (command) {
    case 'up':
      return up(target);
    case 'status':
      return status(target);
    case 'down':
      return down(target);
    case 'failover':
      return failover(target, {
        ...values,
        url: new URL(url),
        node: values.node,
        rate,
        colour,
        say,
        signal: interrupted(),
      });
    default:
      return misuse();
  }
}

function misuse(): number {
  process.stderr.write(usage);
  return 2;
}

/** Ctrl-C during a failover: the killed node is started again before the end. */
function interrupted(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => controller.abort(new Error('interrupted')));
  }
  return controller.signal;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`cluster: ${(error as Error).message}\n`);
  process.exitCode = (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS') === true ? 2 : 1;
}
