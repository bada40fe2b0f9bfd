/** The rate limit in front of every public route: counts the request, then lets it pass or answers 429. */
import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { SluiceError } from '../errors.ts';
import type { Limiter } from '../rateLimit/limiter.ts';
import { limitField, policyField, retryAfterSeconds } from '../rateLimit/responseFields.ts';

/** Every answer carries the RateLimit fields; a refusal also `Retry-After` and the draft's problem type. */
export function rateLimiter(deps: {
  limiter: Limiter;
  clientKey: (request: IncomingMessage) => string;
}): RequestHandler {
  const { limiter, clientKey } = deps;
  const policy = policyField(limiter.policy);
  return async (request, response, next) => {
    const decision = await limiter.consume(clientKey(request));
    response.setHeader('RateLimit-Policy', policy);
    response.setHeader('RateLimit', limitField(decision));
    if (decision.allowed) {
      next();
      return;
    }
    const seconds = retryAfterSeconds(decision);
    const { name, points, durationSeconds } = limiter.policy;
    throw new SluiceError('rate_limited', {
      detail: `${points} requests are allowed in ${durationSeconds} s. Try again in ${seconds} s.`,
      retryAfterSeconds: seconds,
      extensions: { 'violated-policies': [name] },
    });
  };
}
