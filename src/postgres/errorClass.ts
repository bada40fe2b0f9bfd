/**
 * What a failed statement means: was anything done, and may it be sent again?
 *
 * The same error means different things at different moments: a lost connection is harmless before anything was sent,
 * harmless inside a transaction whose COMMIT was not sent (Postgres rolls it back), and ambiguous after a statement or
 * a COMMIT went out. So a verdict is made of the error and of the {@link Stage} at which it came.
 * Codes: PostgreSQL documentation, appendix A "Error Codes".
 */
import { SluiceError } from '../errors.ts';

/** How far an attempt had come. `sent`: a statement on its own, or a COMMIT, is on its way. */
export type Stage = 'connecting' | 'in_transaction' | 'sent';

/**
 * - `unreachable`: nothing was done, the connection is at fault → retry, then `database_unavailable`
 * - `contended`: rolled back for the sake of others → retry, then `overloaded`
 * - `unknown`: it may have been done → retry only what is repeatable, else `outcome_unknown`
 * - `overloaded`: nothing was done, and a retry would make it worse → `overloaded` at once
 * - `rejected`: the statement or its data are at fault → the caller gets the error as it is
 */
export type Verdict = 'unreachable' | 'contended' | 'unknown' | 'overloaded' | 'rejected';

/** SQLSTATE, or its class (two characters), or a code of Node's → verdict, for a statement that was sent. */
export const verdicts: Readonly<Record<string, Verdict>> = {
  // The server says itself that it rolled back; the same work succeeds on another try.
  '40001': 'contended', // serialization_failure
  '40P01': 'contended', // deadlock_detected
  '40003': 'unknown', // statement_completion_unknown

  // The server did not let the connection in.
  '57P03': 'unreachable', // cannot_connect_now: starting, stopping or in recovery
  '08001': 'unreachable', // sqlclient_unable_to_establish_sqlconnection
  '08004': 'unreachable', // sqlserver_rejected_establishment_of_sqlconnection

  // The connection broke; a COMMIT may or may not have come through before.
  '57P01': 'unknown', // admin_shutdown: pg_terminate_backend, a fast shutdown
  '57P02': 'unknown', // crash_shutdown: another backend died
  '08000': 'unknown', // connection_exception
  '08003': 'unknown', // connection_does_not_exist
  '08006': 'unknown', // connection_failure
  '08007': 'unknown', // transaction_resolution_unknown

  // Too much work: one more try is more work.
  '57014': 'overloaded', // query_canceled: statement_timeout
  '55P03': 'overloaded', // lock_not_available: lock_timeout
  '25P03': 'overloaded', // idle_in_transaction_session_timeout
  '25P04': 'overloaded', // transaction_timeout
  '53': 'overloaded', // insufficient_resources: memory, disk, connections

  // Node's codes that only a connection attempt can give.
  ECONNREFUSED: 'unreachable',
  ENOTFOUND: 'unreachable',
  EAI_AGAIN: 'unreachable',
  ENOENT: 'unreachable', // a unix socket that is not there

  // Node's codes for a connection that broke, with a statement perhaps on its way.
  ECONNRESET: 'unknown',
  EPIPE: 'unknown',
  ETIMEDOUT: 'unknown',
  EHOSTUNREACH: 'unknown',
  ENETUNREACH: 'unknown',
  ENETDOWN: 'unknown',
  ECONNABORTED: 'unknown',
};

/** node-postgres says these without a code; each means that the connection is gone. */
const lostConnection =
  /^(Connection terminated|Client has encountered a connection error|Client was closed|timeout exceeded when trying to connect|timeout expired)/;

/** The client-side timer passed while the server's answer was awaited. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
  constructor(ms: number) {
    super(`Postgres did not answer within ${ms} ms`);
  }
}

/** What `error`, thrown at `stage`, means. Errors that are not the database's are `rejected`: they pass through. */
export function judge(error: unknown, stage: Stage): Verdict {
  const verdict = bySentStatement(error);
  if (stage === 'connecting' && codeOf(error) === '53300') return 'contended'; // too_many_connections
  if (verdict === 'unknown' && stage !== 'sent') return 'unreachable';
  return verdict;
}

function bySentStatement(error: unknown): Verdict {
  if (error instanceof SluiceError) return error.code === 'overloaded' ? 'overloaded' : 'rejected';
  if (error instanceof NoAnswerError) return 'unknown';
  const code = codeOf(error);
  if (code !== undefined) return verdicts[code] ?? verdicts[code.slice(0, 2)] ?? 'rejected';
  const { message } = (error ?? {}) as { message?: unknown };
  return typeof message === 'string' && lostConnection.test(message) ? 'unknown' : 'rejected';
}

/**
 * The SQLSTATE or Node code of an error. A failed attempt on several addresses has the code of the first.
 * Looks at the shape, not the class: an error may come from another realm (a vm context) or another copy of a package.
 */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { code, errors } = error as { code?: unknown; errors?: unknown };
  if (typeof code === 'string') return code;
  return Array.isArray(errors) ? codeOf(errors[0]) : undefined;
}
