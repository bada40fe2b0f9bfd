/** What the benches and the chaos runs ask of a Redis client, whoever made it. */
import type { NodeAddress } from '../../../src/config/clusterNodes.ts';

/** The commands that are measured. */
export const operations = ['set', 'get', 'incr'] as const;

/** See {@link operations}. */
export type Operation = (typeof operations)[number];

/** A connected client. Each call is one command on one key; it rejects with whatever the client throws. */
export interface MeasuredClient extends Record<'get' | 'incr', (key: string) => Promise<unknown>> {
  set(key: string, value: string): Promise<unknown>;
  close(): Promise<void>;
}

/** One client library with one choice of settings. */
export interface ClientUnderTest {
  /** Library and settings in a few words, as the tables show it. */
  readonly title: string;
  /** The npm package whose version is told; `undefined`: Sluice itself. */
  readonly package?: string;
  /** What differs from the library's defaults, for the page. */
  readonly settings: string;
  /** Resolves once commands get through. */
  connect(nodes: readonly NodeAddress[]): Promise<MeasuredClient>;
}
