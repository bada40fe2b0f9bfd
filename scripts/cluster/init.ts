/**
 * What the compose init container runs: makes the nodes of REDIS_CLUSTER_NODES a healthy cluster, or repairs it.
 * Safe to run at any time; one JSON line a step on stdout. Exit code 0: healthy; 1: not, with the reason.
 */
import { createLogger } from '../../src/observability/logger.ts';
import { formCluster } from '../../src/redis/formation/formCluster.ts';
import { clusterTarget } from './target.ts';

const timeoutMs = 90_000;
const logger = createLogger({ level: 'debug', format: 'json' });

try {
  const { redis } = clusterTarget(process.env);
  if (redis.mode !== 'cluster') throw new Error('REDIS_CLUSTER_NODES is not set');
  const { nodes, username, password, tls } = redis;
  logger.info({ nodes: nodes.length, timeoutMs }, 'forming the cluster');
  const replicas = 1;
  const { changed } = await formCluster(nodes, { replicas, timeoutMs, logger, username, password, tls });
  logger.info({ changed }, 'the cluster is healthy');
} catch (error) {
  const problems = (error as { problems?: ReadonlyMap<string, readonly string[]> }).problems;
  logger.fatal({ ...(problems && { problems: Object.fromEntries(problems) }) }, (error as Error).message);
  process.exitCode = 1;
}
