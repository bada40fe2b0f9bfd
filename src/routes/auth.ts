/** Accounts and tokens over HTTP. Every answer, errors too, is `Cache-Control: no-store`. */
import { Router, type NextFunction, type Request, type RequestHandler, type Response } from 'express';
import { invalidToken, type AccessTokens } from '../auth/accessTokens.ts';
import type { Accounts } from '../auth/accounts.ts';
import type { SessionGrant, Sessions } from '../auth/sessions.ts';
import { SluiceError } from '../errors.ts';
import { jsonBody } from '../http/jsonBody.ts';
import { requestSignal } from '../http/requestDeadline.ts';
import { validate } from '../http/validate.ts';
import { authenticate, identityOf } from '../middleware/authenticate.ts';
import { authSchemas } from './authSchemas.ts';

export { authSchemas };

/** What the routes call. */
export interface AuthRouteDeps {
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly accessTokens: AccessTokens;
}

/** Makes the router; `requestDeadline` must be mounted before it. */
export function createAuthRoutes(
  { accounts, sessions, accessTokens }: AuthRouteDeps,
  { bodyLimitBytes }: { readonly bodyLimitBytes: number },
): Router {
  const router = Router();
  const json = jsonBody({ limitBytes: bodyLimitBytes });
  const authenticated = authenticate({ accessTokens, sessions });

  const route = (path: string, method: 'get' | 'post', ...handlers: RequestHandler[]): void => {
    router
      .route(path)
      .all(noStore)
      [method](...handlers)
      .all(methodNotAllowed(method === 'get' ? 'GET, HEAD' : 'POST'));
  };

  route('/register', 'post', json, async (request, response) => {
    const credentials = validate(authSchemas.register, request.body);
    const user = await accounts.register(credentials, requestSignal(response));
    response.status(201).location('/me').json({ user });
  });

  route('/login', 'post', json, async (request, response) => {
    const credentials = validate(authSchemas.login, request.body);
    const signal = requestSignal(response);
    const user = await accounts.authenticate(credentials, signal);
    response.json(tokens(await sessions.start(user, signal)));
  });

  route('/refresh', 'post', json, async (request, response) => {
    const { refreshToken } = validate(authSchemas.refresh, request.body);
    response.json(tokens(await sessions.rotate(refreshToken, requestSignal(response))));
  });

  route('/logout', 'post', json, async (request, response) => {
    const { refreshToken } = validate(authSchemas.logout, request.body);
    await sessions.revoke(refreshToken, requestSignal(response));
    response.status(204).end();
  });

  route('/me', 'get', authenticated, async (_request, response) => {
    const user = await accounts.byId(identityOf(response).userId, requestSignal(response));
    if (user === undefined) throw invalidToken('The account no longer exists.');
    response.json({ user });
  });

  route('/password', 'post', authenticated, json, async (request, response) => {
    const passwords = validate(authSchemas.password, request.body);
    const { userId, sessionId } = identityOf(response);
    await accounts.changePassword({ userId, sessionId, ...passwords }, requestSignal(response));
    response.status(204).end();
  });

  return router;

  function tokens({ userId, sessionId, refreshToken }: SessionGrant): object {
    const { accessToken, expiresIn } = accessTokens.issue({ userId, sessionId });
    return { accessToken, tokenType: 'Bearer', expiresIn, refreshToken };
  }
}

function noStore(_request: Request, response: Response, next: NextFunction): void {
  response.set('Cache-Control', 'no-store');
  next();
}

function methodNotAllowed(allowed: string): RequestHandler {
  return () => {
    throw new SluiceError('method_not_allowed', { headers: { Allow: allowed } });
  };
}
