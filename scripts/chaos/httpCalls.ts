/** Requests to the service, each from another client address, and what its health said meanwhile. */
import { Agent, request } from 'node:http';

/** Calls on one service. */
export interface HttpCalls {
  /** One GET /health; rejects when the answer is not 200, or has not come after `timeoutMs`. */
  call(): Promise<void>;
  /** The words for Redis in the answers, in order, repetitions left out. */
  health(): readonly string[];
  close(): void;
}

const mostWords = 12;

/** @param url where the service listens; it must believe X-Forwarded-For from loopback */
export function createHttpCalls(url: string, timeoutMs: number, { random = Math.random } = {}): HttpCalls {
  const agent = new Agent({ keepAlive: true, maxSockets: 500 });
  const target = new URL('/health', url);
  const words: string[] = [];
  const byte = (): number => Math.floor(random() * 256);
  const note = (body: string): void => {
    const word = /"redis":"(\w+)"/.exec(body)?.[1];
    if (word !== undefined && word !== words.at(-1) && words.length < mostWords) words.push(word);
  };
  return {
    call: () =>
      new Promise((resolve, reject) => {
        const headers = { 'X-Forwarded-For': `10.${byte()}.${byte()}.${byte()}` };
        const sent = request(target, { agent, headers, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
          let body = '';
          response
            .setEncoding('utf8')
            .on('data', (chunk: string) => (body += chunk))
            .on('error', reject)
            .on('end', () => {
              note(body);
              if (response.statusCode === 200) resolve();
              else reject(new Error(`status ${response.statusCode}`));
            });
        });
        sent.on('error', reject).end();
      }),
    health: () => words,
    close: () => agent.destroy(),
  };
}
