/**
 * Lets operators in: by `Authorization: Bearer $ADMIN_TOKEN` once a token is configured. In production nobody without
 * one; elsewhere, with no token configured, everybody.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import { SluiceError } from '../errors.ts';

/** See the module's header. */
export interface AdminOnly {
  /** Whether this request may. */
  allows(request: Request): boolean;
  /** Passes on `missing_token`, `invalid_token` or, in production without a token, `forbidden`. */
  readonly guard: RequestHandler;
}

/** The paths under which everything is for operators only. */
export const adminPaths = ['/metrics', '/api/admin', '/api/consistency'];

/** Makes the guard. */
export function createAdminOnly(options: {
  readonly token: string | undefined;
  readonly production: boolean;
}): AdminOnly {
  const wanted = options.token === undefined ? undefined : digest(options.token);
  const refusal = (request: Request): SluiceError | undefined => {
    if (wanted === undefined) return options.production ? notConfigured() : undefined;
    const given = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
    if (given === undefined) {
      const detail = 'Send the service\'s ADMIN_TOKEN as "Authorization: Bearer …".';
      return new SluiceError('missing_token', { detail, headers: { 'WWW-Authenticate': 'Bearer' } });
    }
    // Digests have one length, and comparing them takes one time, whatever was given.
    if (timingSafeEqual(digest(given), wanted)) return undefined;
    const headers = { 'WWW-Authenticate': 'Bearer error="invalid_token"' };
    return new SluiceError('invalid_token', { detail: 'This is not the ADMIN_TOKEN.', headers });
  };
  return {
    allows: (request) => refusal(request) === undefined,
    guard: (request, _response, next) => next(refusal(request)),
  };
}

function notConfigured(): SluiceError {
  return new SluiceError('forbidden', {
    detail: 'Set ADMIN_TOKEN (at least 16 characters) to have this served in production.',
  });
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
