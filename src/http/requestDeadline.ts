/**
 * A deadline for every request: when it passes, the client gets 503 `deadline_exceeded`, and whatever still works for
 * the request sees its signal aborted. A client that goes away aborts the signal too.
 */
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { deadlineError } from '../deadline.ts';

const signals = new WeakMap<Response, AbortSignal>();

/** Until when the answer to this request is wanted. Pass it on to whatever waits. */
export function requestSignal(response: Response): AbortSignal {
  const signal = signals.get(response);
  if (signal === undefined) throw new Error('requestDeadline must be mounted before this handler');
  return signal;
}

/** Gives each request `timeoutMs` milliseconds. */
export function requestDeadline(timeoutMs: number): RequestHandler {
  return (_request: Request, response: Response, next: NextFunction) => {
    const controller = new AbortController();
    signals.set(response, controller.signal);
    const timer = setTimeout(() => {
      // Answered, though a busy loop has not yet seen it go out: cutting it now would reset the connection.
      if (response.writableEnded) return;
      const error = deadlineError(timeoutMs);
      controller.abort(error);
      if (!response.headersSent) next(error);
      else response.destroy();
    }, timeoutMs);
    response.once('close', () => {
      clearTimeout(timer);
      if (!response.writableFinished) controller.abort(new Error('the client went away'));
    });
    next();
  };
}
