/**
 * `GET /metrics` and `GET /metrics/redis-cluster` for Prometheus.
 *
 * Mounted before the rate limit: a scraper asks from one address at its own pace, and its figures matter most while
 * the limit is busy. Only requests that are allowed are answered here; all others go on to be counted and refused, so
 * that the token cannot be guessed at will.
 */
import { Router, type RequestHandler } from 'express';
import type { AdminOnly } from '../middleware/adminOnly.ts';
import type { Metrics } from '../observability/metrics/metrics.ts';

/** Makes the router. */
export function createMetricsRoutes({ metrics, admin }: { metrics: Metrics; admin: AdminOnly }): Router {
  const router = Router();
  const whoMay: RequestHandler = (request, _response, next) => {
    if (admin.allows(request)) next();
    else next('router');
  };
  const answer =
    (which: 'all' | 'cluster'): RequestHandler =>
    async (_request, response) => {
      const text = await metrics.exposition(which);
      response.set('Cache-Control', 'no-store').set('Content-Type', metrics.contentType).end(text);
    };
  router.get('/metrics', whoMay, answer('all'));
  router.get('/metrics/redis-cluster', whoMay, answer('cluster'));
  return router;
}
