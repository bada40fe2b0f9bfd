/** Every request has an id: the caller's `X-Request-Id` when it is sane, else a new one. It is echoed in the answer. */
import { randomUUID } from 'node:crypto';
import type { RequestHandler, Response } from 'express';

/** Short and plain: an id is copied into log lines and headers. */
const sane = /^[A-Za-z0-9._:-]{1,128}$/;

/** The id of the request that is being answered. */
export function requestIdOf(response: Response): string {
  return String(response.getHeader('X-Request-Id') ?? '');
}

/** Mounted first. */
export function requestId(makeId: () => string = randomUUID): RequestHandler {
  return (request, response, next) => {
    const given = request.headers['x-request-id'];
    response.setHeader('X-Request-Id', typeof given === 'string' && sane.test(given) ? given : makeId());
    next();
  };
}
