/**
 * `GET /openapi.json`: the API as OpenAPI 3.1, made from the same schemas that validate the requests.
 * A test walks the running service's routes and holds the two together.
 */
import { Router } from 'express';
import { z } from 'zod';
import { errorTable, type ErrorCode } from '../errors.ts';
import { authSchemas } from './authSchemas.ts';
import { redisHealthSchemas } from './redisHealthSchemas.ts';

type Schema = z.ZodType;

/** What an operation needs to be described. */
interface Operation {
  readonly summary: string;
  readonly body?: Schema;
  /** Status of success and its body, if any. */
  readonly success: readonly [status: number, body?: Schema];
  readonly errors: readonly ErrorCode[];
  readonly bearer?: true;
  /** Needs the ADMIN_TOKEN. */
  readonly admin?: true;
  /** Of success; JSON unless given. */
  readonly contentType?: string;
  /** Answered without being counted. */
  readonly unlimited?: true;
}

const health = z.object({
  status: z.enum(['ok', 'degraded']),
  uptimeSeconds: z.int(),
  checks: z.object({
    postgres: z.enum(['up', 'down', 'starting']),
    redis: z.enum(['up', 'down', 'degraded', 'memory']),
  }),
});
const readiness = z.object({
  status: z.enum(['ready', 'not ready']),
  checks: health.shape.checks.extend({ draining: z.boolean() }),
});

const bodyErrors = ['invalid_request', 'malformed_json', 'payload_too_large', 'unsupported_media_type'] as const;
const databaseErrors = ['database_unavailable', 'overloaded', 'deadline_exceeded'] as const;
const writeErrors = [...databaseErrors, 'outcome_unknown'] as const;
const { register, login, refresh, logout, password, userAnswer, tokensAnswer } = authSchemas;

const adminErrors = ['missing_token', 'invalid_token', 'forbidden'] as const;
const exposition = { success: [200, z.string()], contentType: 'text/plain', admin: true, errors: adminErrors } as const;

const operations: Readonly<Record<string, Operation>> = {
  'POST /register': {
    summary: 'Make an account',
    body: register,
    success: [201, userAnswer],
    errors: [...bodyErrors, 'email_taken', ...writeErrors],
  },
  'POST /login': {
    summary: 'Get tokens for an account',
    body: login,
    success: [200, tokensAnswer],
    errors: [...bodyErrors, 'invalid_credentials', ...writeErrors],
  },
  'GET /me': {
    summary: 'The account of the token',
    success: [200, userAnswer],
    bearer: true,
    errors: ['missing_token', 'invalid_token', ...databaseErrors],
  },
  'POST /refresh': {
    summary: 'Trade a refresh token for new tokens',
    body: refresh,
    success: [200, tokensAnswer],
    errors: [...bodyErrors, 'invalid_token', ...writeErrors],
  },
  'POST /logout': {
    summary: 'End the session of a refresh token',
    body: logout,
    success: [204],
    errors: [...bodyErrors, ...writeErrors],
  },
  'POST /password': {
    summary: 'Change the password; ends all other sessions',
    body: password,
    success: [204],
    bearer: true,
    errors: [...bodyErrors, 'missing_token', 'invalid_token', 'invalid_credentials', ...writeErrors],
  },
  'GET /health': { summary: 'How the service is', success: [200, health], errors: [] },
  'GET /livez': {
    summary: 'Does the process turn',
    success: [200, z.object({ status: z.literal('ok') })],
    errors: [],
    unlimited: true,
  },
  'GET /readyz': {
    summary: 'Can it do its work; 503 while it cannot',
    success: [200, readiness],
    errors: [],
    unlimited: true,
  },
  'GET /api/health/cache': { summary: 'How Redis is', success: [200, redisHealthSchemas.cacheHealth], errors: [] },
  'GET /api/admin/cache/stats': {
    summary: 'What the Redis client counted since its start',
    success: [200, redisHealthSchemas.cacheStats],
    admin: true,
    errors: adminErrors,
  },
  'GET /api/admin/cache/cluster': {
    summary: 'The cluster as the health monitor last saw it',
    success: [200, redisHealthSchemas.cacheCluster],
    admin: true,
    errors: adminErrors,
  },
  'GET /metrics': { summary: 'All metrics, for Prometheus. Not counted when the token is right', ...exposition },
  'GET /metrics/redis-cluster': {
    summary: 'The Redis metrics, for Prometheus. Not counted when the token is right',
    ...exposition,
  },
  'GET /openapi.json': { summary: 'This document', success: [200], errors: [] },
};

/** Serves the document. */
export function createOpenApiRoute(): Router {
  const document = openApiDocument();
  const router = Router();
  router.get('/openapi.json', (_request, response) => {
    response.json(document);
  });
  return router;
}

/** The OpenAPI 3.1 document. */
export function openApiDocument(): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [route, operation] of Object.entries(operations)) {
    const [method = '', path = ''] = route.split(' ');
    (paths[path] ??= {})[method.toLowerCase()] = describe(operation);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sluice',
      version: '0.1.0',
      description: 'Accounts and tokens behind a rate limit on Redis Cluster.',
    },
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' }, adminToken },
      schemas: { Problem: problemSchema },
    },
  };
}

const adminToken = {
  type: 'http',
  scheme: 'bearer',
  description: "The service's ADMIN_TOKEN. Without one these routes are open, but in production refused.",
};

function describe({
  summary,
  body,
  success: [status, answer],
  errors,
  bearer,
  admin,
  contentType,
  unlimited,
}: Operation): Record<string, unknown> {
  const all: ErrorCode[] = unlimited === true ? [...errors] : [...errors, 'rate_limited'];
  return {
    summary,
    ...(bearer === true && { security: [{ bearer: [] }] }),
    ...(admin === true && { security: [{ adminToken: [] }] }),
    ...(body !== undefined && {
      requestBody: { required: true, content: { 'application/json': { schema: jsonSchema(body) } } },
    }),
    responses: {
      [status]: {
        description: status === 204 ? 'Done' : 'Success',
        ...(unlimited !== true && { headers: rateLimitHeaders }),
        ...(answer !== undefined && {
          content: { [contentType ?? 'application/json']: { schema: jsonSchema(answer) } },
        }),
      },
      ...problemResponses(all),
    },
  };
}

/** One response a status; the codes that share it are named in its description. */
function problemResponses(codes: readonly ErrorCode[]): Record<number, unknown> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of new Set(codes)) {
    const { status } = errorTable[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, sharing]) => [
      status,
      {
        description: sharing.map((code) => `\`${code}\`: ${errorTable[code].title}`).join('. '),
        ...(status === 429 && {
          headers: { ...rateLimitHeaders, 'Retry-After': { schema: { type: 'integer' }, description: 'Seconds' } },
        }),
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    ]),
  );
}

const rateLimitHeaders = {
  'RateLimit-Policy': { schema: { type: 'string' }, example: '"default";q=30;w=60' },
  RateLimit: { schema: { type: 'string' }, example: '"default";r=29;t=60' },
};

const problemSchema = {
  type: 'object',
  description: 'RFC 9457',
  required: ['type', 'title', 'status', 'code', 'instance', 'requestId'],
  properties: {
    type: { type: 'string', format: 'uri' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    instance: { type: 'string', format: 'uri' },
    code: { type: 'string', enum: Object.keys(errorTable) },
    requestId: { type: 'string' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['path', 'message'],
        properties: { path: { type: 'string' }, message: { type: 'string' } },
      },
    },
  },
};

function jsonSchema(schema: Schema): unknown {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { target: 'draft-2020-12' });
  return rest;
}
