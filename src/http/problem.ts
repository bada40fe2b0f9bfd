/** Errors become `application/problem+json` (RFC 9457) here and nowhere else. */
import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import { errorTable, SluiceError } from '../errors.ts';
import type { Logger } from '../observability/logger.ts';
import { requestIdOf } from './requestId.ts';

/** The body of an error's answer. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  /** `urn:uuid:…` or `urn:request:…`: this occurrence, by its request id. */
  readonly instance: string;
  readonly code: string;
  readonly requestId: string;
  readonly errors?: readonly { path: string; message: string }[];
}

/** The problem document for an error. */
export function problemFor({ code, context }: SluiceError, requestId: string): Problem {
  return {
    ...errorTable[code],
    ...(context.detail !== undefined && { detail: context.detail }),
    instance: `urn:request:${encodeURIComponent(requestId)}`,
    code,
    requestId,
    ...(context.fields !== undefined && { errors: context.fields }),
    ...context.extensions,
  };
}

/** Writes an error's answer, its headers included. */
export function sendProblem(response: Response, error: SluiceError): void {
  const { headers = {}, retryAfterSeconds } = error.context;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (retryAfterSeconds !== undefined) response.setHeader('Retry-After', String(retryAfterSeconds));
  response.setHeader('Cache-Control', 'no-store');
  const body = JSON.stringify(problemFor(error, requestIdOf(response)));
  response.status(errorTable[error.code].status).setHeader('Content-Type', 'application/problem+json');
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

/** The last route: nothing else matched. */
export function notFound(): RequestHandler {
  return (_request, _response, next) => {
    next(new SluiceError('not_found'));
  };
}

/** The last handler. What is not a {@link SluiceError} is a defect: logged whole, answered without a word of it. */
export function problemHandler(logger: Logger): ErrorRequestHandler {
  return (thrown: unknown, _request, response, _next) => {
    // The deadline has answered already, or the client has gone: nobody is left to tell.
    if (response.writableEnded || response.destroyed) return;
    const error = thrown instanceof SluiceError ? thrown : fromExpress(thrown);
    logFailure(logger, error, requestIdOf(response));
    if (response.headersSent) {
      response.destroy();
      return;
    }
    sendProblem(response, error);
  };
}

/** A defect is logged whole; what can happen in operation in one line; what the client did wrong not at all. */
function logFailure(logger: Logger, error: SluiceError, requestId: string): void {
  if (error.code === 'internal') {
    logger.error({ requestId, err: error.cause ?? error }, 'request failed: a defect');
  } else if (errorTable[error.code].status >= 500) {
    const reason = error.cause instanceof Error ? error.cause.message : error.message;
    logger.warn({ requestId, code: error.code, reason }, 'request failed');
  }
}

/** Express throws errors of its own with a 4xx status: a path that cannot be decoded, for example. */
function fromExpress(thrown: unknown): SluiceError {
  const status = (thrown as { status?: unknown } | null)?.status;
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new SluiceError('invalid_request', { detail: 'The request could not be read.', cause: thrown });
  }
  return new SluiceError('internal', { cause: thrown });
}
