/**
 * The `RateLimit-Policy` and `RateLimit` fields of draft-ietf-httpapi-ratelimit-headers-11 and `Retry-After`
 * (RFC 9110 §10.2.3). Both fields are lists of strings with parameters (RFC 9651); policy names come from our own
 * configuration and hold no character that would need escaping.
 */
import type { Decision, Policy } from './limiter.ts';

/** Whole seconds until the window ends, rounded up, at least 1: a client that waits so long is never early. */
export function retryAfterSeconds(decision: Decision): number {
  return Math.max(Math.ceil(decision.msBeforeNext / 1000), 1);
}

/** `"default";q=30;w=60` */
export function policyField({ name, points, durationSeconds }: Policy): string {
  return `"${name}";q=${points};w=${durationSeconds}`;
}

/** `"default";r=12;t=41` */
export function limitField(decision: Decision): string {
  return `"${decision.policy.name}";r=${decision.remaining};t=${retryAfterSeconds(decision)}`;
}
