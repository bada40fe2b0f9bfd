/**
 * How Redis is: `GET /api/health/cache` for everybody (rate limited), `/api/admin/cache/*` for operators. All answer
 * 200 with the status in the body, from what is known already: nobody is asked, so they are quick while Redis is not.
 */
import { Router, type Response } from 'express';
import { breakersOf, cacheHealth, overallStatus, type HealthSources } from '../redis/health/cacheHealth.ts';

/** What the routes show. */
export interface RedisHealthDeps extends HealthSources {
  /** Where traffic is and which moves there were, when there is a backend to fall back to. */
  readonly fallback?: (() => unknown) | undefined;
}

/** Makes the router; `adminOnly`'s guard must be mounted before it. */
export function createRedisHealthRoutes(deps: RedisHealthDeps): Router {
  const { backend, monitor, fallback } = deps;
  const router = Router();

  router.get('/api/health/cache', (_request, response) => send(response, cacheHealth(deps)));

  router.get('/api/admin/cache/stats', (_request, response) => {
    send(response, {
      status: overallStatus(deps),
      distributed: backend.distributed,
      backend: backend.report(),
      breakers: breakersOf(deps),
      fallback: fallback?.() ?? null,
    });
  });

  router.get('/api/admin/cache/cluster', (_request, response) => {
    const health = monitor?.latest();
    if (health === undefined) {
      const reasons = monitor === undefined ? [] : ['not checked yet'];
      send(response, {
        enabled: monitor !== undefined,
        status: overallStatus(deps),
        reasons,
        nodes: [],
        anomalies: [],
      });
      return;
    }
    const reasons = backend.isReady() ? health.reasons : ['no command gets through', ...health.reasons];
    const anomalies = health.anomalies.map((anomaly) => ({ ...anomaly, since: new Date(anomaly.since).toISOString() }));
    send(response, {
      enabled: true,
      ...health,
      status: overallStatus(deps),
      reasons,
      anomalies,
      checkedAt: new Date(health.checkedAt).toISOString(),
    });
  });

  return router;
}

function send(response: Response, body: object): void {
  response.set('Cache-Control', 'no-store').json(body);
}
