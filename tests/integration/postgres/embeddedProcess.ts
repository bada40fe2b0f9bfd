/**
 * What embedded.test.ts runs as a process of its own, against the build: takes the data directory, starts, and prints
 * one JSON line a step. Arguments: the directory, and `lock` (only take the lock), `write` (insert until killed) or
 * `serve`. Except for `write` it waits for the end of its stdin, then closes everything.
 */
import { lockDataDir, type DataDirLock } from '../../../src/embedded/dataDirLock.ts';
import { startEmbeddedPostgres } from '../../../src/embedded/postgres.ts';
import { createLogger } from '../../../src/observability/logger.ts';
import { createDatabase } from '../../../src/postgres/database.ts';
import { migrate } from '../../../src/postgres/migrations.ts';

/** One line of output. */
export type Line = { refused?: string; locked?: true; url?: string; written?: number; closed?: true };

const [dataDir = '', mode] = process.argv.slice(-2);
const say = (line: Line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const stdinEnded = new Promise((resolve) => process.stdin.resume().once('end', resolve));

async function main(lock: DataDirLock): Promise<void> {
  say({ locked: true });
  if (mode !== 'lock') await runPostgres();
  await stdinEnded;
  await lock.release();
  say({ closed: true });
}

async function runPostgres(): Promise<void> {
  const logger = createLogger({ level: 'silent', format: 'json' });
  const postgres = await startEmbeddedPostgres({ dataDir, logger, stallMs: 1000 });
  const options = { url: postgres.url, poolSize: 10, connectTimeoutMs: 5000, queryTimeoutMs: 5000 };
  const database = createDatabase({ logger }, options);
  await migrate(database);
  await database.query('CREATE TABLE IF NOT EXISTS written (n integer PRIMARY KEY)');
  say({ url: postgres.url });
  for (let n = 1; mode === 'write'; n++) {
    await database.query('INSERT INTO written VALUES ($1)', [n]);
    say({ written: n });
  }
  await stdinEnded;
  await database.close();
  await postgres.close();
}

lockDataDir(dataDir).then(main, (error: Error) => {
  say({ refused: error.message });
  process.exitCode = 1;
  process.stdin.destroy();
});
