/** Stops what globalSetup started. */
import type { Shared } from './globalSetup.ts';

export default async function globalTeardown(): Promise<void> {
  const shared = (globalThis as { sluiceShared?: Shared }).sluiceShared;
  await Promise.all([shared?.cluster.stop(), shared?.postgres.stop()]);
}
