/**
 * `/health` for people and clients (rate limited like every public route); `/livez` and `/readyz` for orchestrators
 * (not limited). Redis being away is `degraded`, never "not ready": requests are still answered.
 */
import { Router } from 'express';

/** One dependency's state, in a word that stands in the answer. */
export type CheckState = 'up' | 'down' | 'degraded' | 'memory' | 'starting';

/** What the routes ask; each answer is quick and bounded in time. */
export interface HealthChecks {
  postgres(): Promise<CheckState>;
  redis(): CheckState;
  /** True between SIGTERM and the end. */
  draining(): boolean;
}

/** `GET /health`. */
export function createHealthRoute(checks: HealthChecks, uptimeSeconds: () => number): Router {
  const router = Router();
  router.get('/health', async (_request, response) => {
    const postgres = await checks.postgres();
    const redis = checks.redis();
    const status = postgres === 'up' && (redis === 'up' || redis === 'memory') ? 'ok' : 'degraded';
    response.set('Cache-Control', 'no-store').json({
      status,
      uptimeSeconds: Math.floor(uptimeSeconds()),
      checks: { postgres, redis },
    });
  });
  return router;
}

/** `GET /livez`: the process turns. `GET /readyz`: it can do its work; 503 with the reasons while it cannot. */
export function createProbeRoutes(checks: HealthChecks): Router {
  const router = Router();
  router.get('/livez', (_request, response) => {
    response.json({ status: 'ok' });
  });
  router.get('/readyz', async (_request, response) => {
    const postgres = await checks.postgres();
    const draining = checks.draining();
    const ready = postgres === 'up' && !draining;
    response
      .status(ready ? 200 : 503)
      .set('Cache-Control', 'no-store')
      .json({ status: ready ? 'ready' : 'not ready', checks: { postgres, redis: checks.redis(), draining } });
  });
  return router;
}
