/** Until the schema is there, a query would fail as if the code were wrong; it is the database that is not ready. */
import { SluiceError } from '../errors.ts';
import type { Database } from './database.ts';

/** `database`, refusing with `database_unavailable` while `isMigrated` says no. */
export function untilMigrated(database: Database, isMigrated: () => boolean): Database {
  const check = () => {
    if (isMigrated()) return;
    throw new SluiceError('database_unavailable', { detail: 'The database is not ready yet.', retryAfterSeconds: 1 });
  };
  return {
    async query(text, values, options) {
      check();
      return database.query(text, values, options);
    },
    async transaction(work, options) {
      check();
      return database.transaction(work, options);
    },
    ping: (signal) => database.ping(signal),
    stats: () => database.stats(),
    close: () => database.close(),
  };
}
