/** Tells how long each request took, by labels from bounded sets: nothing that a client makes up becomes one. */
import type { Request, RequestHandler } from 'express';
import type { AnsweredRequest } from '../observability/metrics/serviceMetrics.ts';

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Mounted before all routes. `now` in ms. A request that no route answered, a refused one too, has the route `unknown`. */
export function requestMetrics(
  answered: (request: AnsweredRequest) => void,
  now: () => number = () => performance.now(),
): RequestHandler {
  return (request, response, next) => {
    const startedAt = now();
    response.once('close', () => {
      answered({
        method: methods.has(request.method) ? request.method : 'other',
        route: routeTemplate(request),
        status: response.writableFinished ? `${Math.floor(response.statusCode / 100)}xx` : 'aborted',
        seconds: (now() - startedAt) / 1000,
      });
    });
    next();
  };
}

/** The path as it stands in the code. Express leaves it on the request that it matched. */
function routeTemplate(request: Request): string {
  const path: unknown = (request.route as { path?: unknown } | undefined)?.path;
  return typeof path === 'string' ? path : 'unknown';
}
