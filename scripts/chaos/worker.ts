/** The child process of one client in a chaos run: connects, calls at its rate, hands its outcomes back. */
import { answerParent } from '../bench/parentLink.ts';
import type { NodeAddress } from '../../src/config/clusterNodes.ts';
import { clients, type ClientName } from '../bench/clients/all.ts';
import { createHttpCalls, type HttpCalls } from './httpCalls.ts';
import { startOpenLoop, type OpenLoop, type Outcomes } from './openLoop.ts';

/** What the parent asks, in this order. */
export type Ask =
  | { readonly kind: 'connect'; readonly client: ClientName; readonly nodes: readonly NodeAddress[] }
  | { readonly kind: 'connect http'; readonly url: string; readonly timeoutMs: number }
  | { readonly kind: 'start'; readonly rate: number; readonly timeoutMs: number }
  | { readonly kind: 'stop' };

/** What comes back, one answer an ask. */
export type Answer = { readonly outcomes?: Outcomes; readonly health?: readonly string[]; readonly error?: string };

const keyCount = 100_000;
let call: (() => Promise<unknown>) | undefined;
let http: HttpCalls | undefined;
let loop: OpenLoop | undefined;

async function answer(ask: Ask): Promise<Answer> {
  switch (ask.kind) {
    case 'connect': {
      const client = await clients[ask.client].connect(ask.nodes);
      let turn = 0;
      call = () => {
        const key = `chaos:${Math.floor(Math.random() * keyCount)}`;
        return turn++ % 2 === 0 ? client.set(key, 'value') : client.get(key);
      };
      return {};
    }
    case 'connect http':
      http = createHttpCalls(ask.url, ask.timeoutMs);
      call = () => http?.call() ?? Promise.resolve();
      return {};
    case 'start':
      if (call === undefined) return { error: 'not connected' };
      loop = startOpenLoop(call, ask);
      return {};
    case 'stop': {
      const outcomes = await loop?.stop();
      http?.close();
      return { ...(outcomes && { outcomes }), ...(http && { health: http.health() }) };
    }
  }
}

answerParent(answer);
// A client that lets a rejection or an exception escape must not end its measurement; the count says what callers saw.
process.on('unhandledRejection', () => undefined);
process.on('uncaughtException', () => undefined);
