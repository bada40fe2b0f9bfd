/**
 * Reads a JSON body, strictly: `application/json` in UTF-8 without compression (RFC 8259), within a size limit.
 *
 * A body that is too large is refused as soon as that is known, and what still comes is discarded by node:http after
 * the answer; body-parser would take it all in first. Bytes that are not UTF-8 are refused and not replaced.
 * Nothing of a body ever stands in an error. With duplicate keys the last one counts (JSON.parse).
 */
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { SluiceError } from '../errors.ts';

/**
 * Puts the parsed body where `request.body` is.
 * Passes on {@link SluiceError}: `unsupported_media_type`, `payload_too_large`, `malformed_json`, or `invalid_request`
 * when there is no body.
 */
export function jsonBody({ limitBytes }: { readonly limitBytes: number }): RequestHandler {
  return async (request: Request, response: Response, next: NextFunction) => {
    checkHeaders(request, limitBytes);
    const bytes = await readAll(request, limitBytes);
    // The deadline may have answered while a slow body came in; the route must not run after that.
    if (response.headersSent || response.destroyed) return;
    request.body = parse(bytes);
    next();
  };
}

function checkHeaders({ headers }: Request, limitBytes: number): void {
  const length = Number(headers['content-length'] ?? 0);
  if (length === 0 && headers['transfer-encoding'] === undefined) throw missingBody();
  if (!isJson(headers['content-type'])) throw notAccepted('Send the body as application/json in UTF-8.');
  if ((headers['content-encoding'] ?? 'identity') !== 'identity') throw notAccepted('The body must not be compressed.');
  if (length > limitBytes) throw tooLarge(limitBytes);
}

/** `application/json`, with no charset or UTF-8. Other parameters mean nothing and are ignored. */
function isJson(contentType: string | undefined): boolean {
  const [type, ...parameters] = (contentType ?? '')
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  return type === 'application/json' && (charset === undefined || /^charset="?utf-?8"?$/.test(charset));
}

/** The whole body, or an error as soon as it has more than `limitBytes`. */
async function readAll(request: Request, limitBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const stop = (): void => {
      request.off('data', onData).off('end', onEnd).off('close', onClose);
      chunks.length = 0;
    };
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk);
      if ((size += chunk.length) <= limitBytes) return;
      stop();
      reject(tooLarge(limitBytes));
    };
    const onEnd = (): void => {
      resolve(Buffer.concat(chunks));
      stop();
    };
    const onClose = (): void => {
      stop();
      reject(new SluiceError('invalid_request', { detail: 'The body ended before it was complete.' }));
    };
    request.on('data', onData).on('end', onEnd).on('close', onClose);
  });
}

function parse(bytes: Buffer): unknown {
  if (bytes.length === 0) throw missingBody();
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // Without the cause: the parser's message quotes the text.
    throw new SluiceError('malformed_json');
  }
}

function missingBody(): SluiceError {
  return new SluiceError('invalid_request', { fields: [{ path: '', message: 'a JSON body is required' }] });
}

function notAccepted(detail: string): SluiceError {
  return new SluiceError('unsupported_media_type', { detail });
}

function tooLarge(limitBytes: number): SluiceError {
  return new SluiceError('payload_too_large', { detail: `A body has at most ${limitBytes} bytes.` });
}
