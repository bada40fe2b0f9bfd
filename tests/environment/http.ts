/** Small HTTP helpers for tests: real sockets, nothing hidden. */
import type { Agent } from 'node:http';
import { request } from 'node:http';

/** An answer, read whole. */
export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
  /** The body as JSON. */
  json<T = Record<string, unknown>>(): T;
  readonly ms: number;
}

/** What to send. */
export interface Call {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
  /** Source address on loopback, e.g. 127.0.0.9: another client for the rate limit. */
  readonly from?: string;
  readonly agent?: Agent;
  readonly timeoutMs?: number;
}

/** Sends a request; objects as JSON. Rejects when there is no answer within `timeoutMs` (10 s). */
export function call(
  url: string,
  { method, headers = {}, body, from, agent, timeoutMs = 10_000 }: Call = {},
): Promise<Answer> {
  const payload = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      {
        method: method ?? (payload === undefined ? 'GET' : 'POST'),
        headers: { ...(payload !== undefined && { 'Content-Type': 'application/json' }), ...headers },
        signal: AbortSignal.timeout(timeoutMs),
        ...(from !== undefined && { localAddress: from }),
        ...(agent !== undefined && { agent }),
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            json: <T>() => JSON.parse(text) as T,
            ms: performance.now() - startedAt,
          }),
        );
      },
    );
    outgoing.on('error', reject);
    outgoing.end(payload);
  });
}
