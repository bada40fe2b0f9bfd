/**
 * Postgres inside this process, for a start with nothing configured: PGlite (Postgres 18 as WebAssembly) with its data
 * under `dataDir/postgres`, reached through a socket so that the same pg.Pool code runs.
 *
 * The data survives `kill -9` of the process (write-ahead log); after a power failure the last writes may be missing.
 * Two processes on one directory would destroy it: take {@link file://./dataDirLock.ts lockDataDir} first.
 * Queries run one after the other, in this thread, and without server-side timeouts: for development, not production.
 */
import { PGlite } from '@electric-sql/pglite';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../observability/logger.ts';
import { serveWireProtocol } from './wireServer.ts';

/** A running embedded Postgres. */
export interface EmbeddedPostgres {
  /** For `createDatabase`. */
  readonly url: string;
  close(): Promise<void>;
}

/** A holder of the session that is silent for this long, in ms, loses it. */
const defaultStallMs = 10_000;

/** Starts it; the first time, which makes the database, takes some seconds. */
export async function startEmbeddedPostgres(options: {
  dataDir: string;
  logger: Logger;
  stallMs?: number;
}): Promise<EmbeddedPostgres> {
  const { logger, stallMs = defaultStallMs } = options;
  const dataDir = join(options.dataDir, 'postgres');
  await mkdir(dataDir, { recursive: true });
  const db = await PGlite.create({ dataDir });
  const server = await serveWireProtocol({ db, logger }, { stallMs }).catch(async (error: unknown) => {
    await db.close();
    throw error;
  });
  return {
    url: `postgres://postgres@127.0.0.1:${server.port}/postgres`,
    close: async () => {
      await server.close();
      await db.close();
    },
  };
}
