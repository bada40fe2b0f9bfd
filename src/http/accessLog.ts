/** One line for each answered request. Paths are logged without their query, bodies and addresses never. */
import type { RequestHandler } from 'express';
import type { Logger } from '../observability/logger.ts';
import { requestIdOf } from './requestId.ts';

/** Probes are asked every second: their lines are at debug level. */
const quiet = new Set(['/livez', '/readyz']);

/** Mounted right after the request id. `now` is in ms. */
export function accessLog(logger: Logger, now: () => number = () => performance.now()): RequestHandler {
  return (request, response, next) => {
    const startedAt = now();
    const path = request.path.slice(0, 200);
    response.once('close', () => {
      const line = {
        requestId: requestIdOf(response),
        method: request.method,
        path,
        status: response.statusCode,
        ms: Math.round((now() - startedAt) * 10) / 10,
        ...(!response.writableFinished && { unfinished: true }),
      };
      logger[quiet.has(path) ? 'debug' : 'info'](line, 'request');
    });
    next();
  };
}
