/** The Express app on one screen: middleware in order, then routes, then errors. */
import type { IncomingMessage } from 'node:http';
import express, { type Express, type Router } from 'express';
import helmet from 'helmet';
import { accessLog } from './http/accessLog.ts';
import { notFound, problemHandler } from './http/problem.ts';
import { requestDeadline } from './http/requestDeadline.ts';
import { requestId } from './http/requestId.ts';
import { requestMetrics } from './http/requestMetrics.ts';
import { adminPaths, type AdminOnly } from './middleware/adminOnly.ts';
import { rateLimiter } from './middleware/rateLimiter.ts';
import type { Logger } from './observability/logger.ts';
import type { Metrics } from './observability/metrics/metrics.ts';
import type { TrustFunction } from './rateLimit/clientAddress.ts';
import type { Limiter } from './rateLimit/limiter.ts';

/** What the app is made of. */
export interface AppParts {
  readonly logger: Logger;
  readonly limiter: Limiter;
  readonly clientKey: (request: IncomingMessage) => string;
  readonly trusted: TrustFunction;
  readonly requestTimeoutMs: number;
  readonly metrics: Pick<Metrics, 'answered'>;
  readonly admin: AdminOnly;
  /** Answered without being counted: what orchestrators and scrapers ask. */
  readonly probes: readonly Router[];
  /** Counted against the rate limit. */
  readonly routes: readonly Router[];
}

/** Builds the app; it opens nothing. */
export function createApp(parts: AppParts): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.set('trust proxy', parts.trusted);

  app.use(requestId());
  app.use(accessLog(parts.logger));
  app.use(requestMetrics(parts.metrics.answered));
  app.use(securityHeaders());
  app.use(requestDeadline(parts.requestTimeoutMs));
  for (const probes of parts.probes) app.use(probes);
  app.use(rateLimiter(parts));
  app.use(adminPaths, parts.admin.guard);
  for (const routes of parts.routes) app.use(routes);
  app.use(notFound());
  app.use(problemHandler(parts.logger));
  return app;
}

/** An API serves no page: nothing may be loaded, framed or sniffed. */
function securityHeaders() {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] },
    },
    strictTransportSecurity: { maxAge: 31_536_000, includeSubDomains: false },
  });
}
