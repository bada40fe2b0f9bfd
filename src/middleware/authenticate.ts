/**
 * Lets a request through that carries a good access token of a live session, in the Authorization header only
 * (RFC 6750 section 2.1; a token in a URL or a form ends up in logs).
 */
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import type { AccessTokens, VerifiedToken } from '../auth/accessTokens.ts';
import { invalidToken } from '../auth/accessTokens.ts';
import type { Sessions } from '../auth/sessions.ts';
import { SluiceError } from '../errors.ts';
import { requestSignal } from '../http/requestDeadline.ts';

const identities = new WeakMap<Response, VerifiedToken>();

/** Who asks. Throws where {@link authenticate} is not mounted before. */
export function identityOf(response: Response): VerifiedToken {
  const identity = identities.get(response);
  if (identity === undefined) throw new Error('authenticate must be mounted before this handler');
  return identity;
}

/** Passes on `missing_token` or `invalid_token`, each with the challenge of RFC 6750 section 3. */
export function authenticate(deps: {
  readonly accessTokens: AccessTokens;
  readonly sessions: Pick<Sessions, 'isLive'>;
}): RequestHandler {
  return async (request: Request, response: Response, next: NextFunction) => {
    const token = bearerToken(request.headers.authorization);
    // Without credentials the challenge must not name an error (RFC 6750 section 3.1).
    if (token === undefined) throw new SluiceError('missing_token', { headers: { 'WWW-Authenticate': 'Bearer' } });
    const identity = deps.accessTokens.verify(token);
    const live = await deps.sessions.isLive(identity.sessionId, requestSignal(response));
    if (!live) throw invalidToken('The session has ended; log in again.');
    identities.set(response, identity);
    next();
  };
}

function bearerToken(header: string | undefined): string | undefined {
  return /^Bearer +([^\s]+) *$/i.exec(header ?? '')?.[1];
}
