/** The child process of one client: connects, measures slice after slice as it is told, ends with its parent. */
import { answerParent } from './parentLink.ts';
import type { NodeAddress } from '../../src/config/clusterNodes.ts';
import { clients, type ClientName } from './clients/all.ts';
import type { MeasuredClient } from './clients/client.ts';
import { measure, type Slice, type SliceResult } from './measure.ts';

/** What the parent asks. */
export type Ask =
  | { readonly kind: 'connect'; readonly client: ClientName; readonly nodes: readonly NodeAddress[] }
  | ({ readonly kind: 'measure' } & Slice);

/** What comes back, one answer an ask. */
export type Answer = { readonly result?: SliceResult; readonly error?: string };

let client: MeasuredClient | undefined;

async function answer(ask: Ask): Promise<Answer> {
  if (ask.kind === 'connect') {
    client = await clients[ask.client].connect(ask.nodes);
    return {};
  }
  if (client === undefined) return { error: 'not connected' };
  return { result: await measure(client, ask) };
}

answerParent(answer);
