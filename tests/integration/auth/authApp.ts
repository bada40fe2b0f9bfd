/** The auth routes on a bare Express app, over a database of their own. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express, { type NextFunction, type Request, type Response } from 'express';
import { createAccessTokens, type AccessTokens } from '../../../src/auth/accessTokens.ts';
import { createAccounts, type Accounts } from '../../../src/auth/accounts.ts';
import { createPasswordHasher, type HasherOptions, type PasswordHasher } from '../../../src/auth/passwordHasher.ts';
import { createRefreshTokens } from '../../../src/auth/refreshTokens.ts';
import { createSessions, type SessionOptions, type Sessions } from '../../../src/auth/sessions.ts';
import { errorTable, SluiceError } from '../../../src/errors.ts';
import { requestDeadline } from '../../../src/http/requestDeadline.ts';
import { createLogger } from '../../../src/observability/logger.ts';
import { createDatabase, type Database } from '../../../src/postgres/database.ts';
import { createSessionsRepository } from '../../../src/postgres/sessionsRepository.ts';
import { createUsersRepository, type UsersRepository } from '../../../src/postgres/usersRepository.ts';
import { createAuthRoutes } from '../../../src/routes/auth.ts';
import { createTestDatabase } from '../../environment/postgres.ts';
import { sharedPostgresUrl } from '../../environment/shared.ts';

export const secret = 'test-secret-test-secret-test-secret';
export const issuer = 'sluice-test';
export const audience = 'sluice-test-api';

/** What a test may want to differ. */
export interface AppOptions {
  readonly hasher?: Partial<HasherOptions>;
  readonly sessions?: Partial<SessionOptions>;
  readonly requestTimeoutMs?: number;
}

/** An answer, read whole. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: {
    user: { id: string; email: string; createdAt: string };
    accessToken: string;
    tokenType: string;
    expiresIn: number;
    refreshToken: string;
    code: string;
    errors: { path: string; message: string }[];
  };
}

/** A running app and everything that it is made of. */
export interface AuthApp {
  readonly database: Database;
  readonly users: UsersRepository;
  readonly sessions: Sessions;
  readonly accounts: Accounts;
  readonly accessTokens: AccessTokens;
  readonly hasher: PasswordHasher;
  /** Sessions that ended because a rotated token came back. */
  readonly reuses: { userId: string; sessionId: string }[];
  readonly rehashFailures: unknown[];
  /** Sends JSON (texts as they are), with an access token where one is given. */
  send(method: string, path: string, body?: unknown, accessToken?: string): Promise<Answer>;
  /** Registers and logs in a new user. */
  newUser(password?: string): Promise<{ email: string; password: string; id: string } & Answer['body']>;
  close(): Promise<void>;
}

/** Starts the app; bcrypt at cost 4 unless told. */
export async function startAuthApp(options: AppOptions = {}): Promise<AuthApp> {
  const testDatabase = await createTestDatabase(sharedPostgresUrl());
  const logger = createLogger({ level: 'silent', format: 'json' });
  const database = createDatabase(
    { logger },
    { url: testDatabase.url, poolSize: 10, connectTimeoutMs: 5000, queryTimeoutMs: 10_000 },
  );
  const hasher = createPasswordHasher({}, { cost: 4, concurrency: 2, queueTimeoutMs: 20_000, ...options.hasher });
  const users = createUsersRepository(database);
  const reuses: AuthApp['reuses'] = [];
  const sessions = createSessions(
    {
      repository: createSessionsRepository(database),
      refreshTokens: createRefreshTokens({}, { secret }),
      onReuse: (session) => reuses.push(session),
    },
    { ttlSeconds: 3600, ...options.sessions },
  );
  const rehashFailures: unknown[] = [];
  const accounts = createAccounts(
    { database, users, sessions, hasher, onRehashFailed: (error) => rehashFailures.push(error) },
    { passwordMinLength: 8 },
  );
  const accessTokens = createAccessTokens({}, { secret, issuer, audience, ttlSeconds: 900 });
  const app = express();
  app.use(requestDeadline(options.requestTimeoutMs ?? 30_000));
  app.use(createAuthRoutes({ accounts, sessions, accessTokens }, { bodyLimitBytes: 8192 }));
  app.use(answerError);
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let userCount = 0;

  const send: AuthApp['send'] = async (method, path, body, accessToken) => {
    const headers: Record<string, string> = {};
    if (body !== undefined) headers['content-type'] = 'application/json';
    if (accessToken !== undefined) headers['authorization'] = `Bearer ${accessToken}`;
    const payload = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) };
    const response = await fetch(url + path, { method, headers, ...payload });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: (text === '' ? {} : JSON.parse(text)) as Answer['body'],
    };
  };

  return {
    database,
    users,
    sessions,
    accounts,
    accessTokens,
    hasher,
    reuses,
    rehashFailures,
    send,
    async newUser(password = 'correct horse battery') {
      const email = `user-${(userCount += 1)}@example.com`;
      const registered = await send('POST', '/register', { email, password });
      const loggedIn = await send('POST', '/login', { email, password });
      if (registered.status !== 201 || loggedIn.status !== 200) throw new Error(`${registered.text} ${loggedIn.text}`);
      return { ...loggedIn.body, email, password, id: registered.body.user.id };
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
      await hasher.close();
      await database.close();
      await testDatabase.drop();
    },
  };
}

function answerError(error: unknown, _request: Request, response: Response, next: NextFunction): void {
  if (response.headersSent) return next(error);
  if (!(error instanceof SluiceError)) return void response.status(500).json({ code: 'internal' });
  const { fields, retryAfterSeconds, headers = {} } = error.context;
  response.set(headers);
  if (retryAfterSeconds !== undefined) response.set('Retry-After', String(retryAfterSeconds));
  response.status(errorTable[error.code].status).json({ code: error.code, detail: error.message, errors: fields });
}
