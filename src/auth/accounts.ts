/**
 * Accounts: who may log in, and with which password.
 *
 * Invariants:
 * - Hashing is done before a database connection is taken, so a slow hash never holds one.
 * - An unknown address and a wrong password get the same error after the same work: one look-up, one comparison.
 * - A new password and the end of all other sessions are one transaction; each write may be repeated without harm.
 *
 * When the hasher is full: `overloaded`. When Postgres fails: what `postgres/database.ts` throws.
 */
import { SluiceError, type FieldError } from '../errors.ts';
import type { Database } from '../postgres/database.ts';
import { repeatableWrite } from '../postgres/repeatable.ts';
import type { UserRow, UsersRepository } from '../postgres/usersRepository.ts';
import { parseEmail } from './emailAddress.ts';
import type { PasswordHasher } from './passwordHasher.ts';
import { passwordProblem } from './passwordRules.ts';
import type { Sessions } from './sessions.ts';
import { uuidV7 } from './uuidV7.ts';

/** What others may know of an account. */
export interface User {
  readonly id: string;
  readonly email: string;
  readonly createdAt: Date;
}

/** A user who has just proven the password that was set at `passwordChangedAt`. */
export interface AuthenticatedUser extends User {
  readonly passwordChangedAt: Date;
}

/** Email and password as typed. */
export interface Credentials {
  readonly email: string;
  readonly password: string;
}

/** Whose password changes, and which session asked for it and stays. */
export interface PasswordChange {
  readonly userId: string;
  readonly sessionId: string;
  readonly currentPassword: string;
  readonly newPassword: string;
}

/** What accounts depend on. */
export interface AccountDeps {
  readonly database: Database;
  readonly users: UsersRepository;
  readonly sessions: Sessions;
  readonly hasher: PasswordHasher;
  readonly newId?: () => string;
  /** Told when a hash could not be renewed at the configured cost; the login went on. */
  readonly onRehashFailed?: (error: unknown) => void;
}

/** See the head of this file. */
export interface Accounts {
  /** @throws {SluiceError} `invalid_request` naming the fields, or `email_taken`. */
  register(credentials: Credentials, signal?: AbortSignal): Promise<User>;
  /** @throws {SluiceError} `invalid_credentials`, whether the address is unknown or the password wrong. */
  authenticate(credentials: Credentials, signal?: AbortSignal): Promise<AuthenticatedUser>;
  /** @throws {SluiceError} `invalid_request` for a bad new password, `invalid_credentials` for a wrong current one. */
  changePassword(change: PasswordChange, signal?: AbortSignal): Promise<void>;
  byId(id: string, signal?: AbortSignal): Promise<User | undefined>;
}

/** Makes the accounts of one service. `passwordMinLength` in characters. */
export function createAccounts(
  { database, users, sessions, hasher, newId = uuidV7, onRehashFailed = () => undefined }: AccountDeps,
  { passwordMinLength }: { readonly passwordMinLength: number },
): Accounts {
  return {
    async register({ email: typed, password }, signal) {
      const address = parseEmail(typed);
      const problem = passwordProblem(password, passwordMinLength);
      const fields: FieldError[] = [];
      if (address === undefined) fields.push({ path: 'email', message: 'must be an email address' });
      if (problem !== undefined) fields.push({ path: 'password', message: problem });
      if (address === undefined || problem !== undefined) throw new SluiceError('invalid_request', { fields });
      const passwordHash = await hasher.hash(password, signal);
      const row = await users.insert({ id: newId(), ...address, passwordHash }, signal);
      if (row === undefined) throw new SluiceError('email_taken');
      return toUser(row);
    },

    async authenticate({ email: typed, password }, signal) {
      const address = parseEmail(typed);
      const row = address && (await users.byCanonicalEmail(address.canonical, signal));
      const correct = await hasher.verify(password, row?.passwordHash, signal);
      if (row === undefined || !correct) throw wrongCredentials();
      if (hasher.isOutdated(row.passwordHash) && hasher.hasFreeSlot()) await renewHash(row, password, signal);
      return { ...toUser(row), passwordChangedAt: row.passwordChangedAt };
    },

    async changePassword({ userId, sessionId, currentPassword, newPassword }, signal) {
      const problem = passwordProblem(newPassword, passwordMinLength);
      if (problem !== undefined) {
        throw new SluiceError('invalid_request', { fields: [{ path: 'newPassword', message: problem }] });
      }
      const currentHash = (await users.byId(userId, signal))?.passwordHash;
      const correct = await hasher.verify(currentPassword, currentHash, signal);
      if (currentHash === undefined || !correct) throw wrongCredentials('The current password is wrong.');
      const newHash = await hasher.hash(newPassword, signal);
      await database.transaction(
        async (tx) => {
          const changed = await users.changePassword({ id: userId, currentHash, newHash }, tx);
          if (!changed) throw wrongCredentials('The current password is wrong.');
          await sessions.revokeOthers(userId, sessionId, tx);
        },
        // A repeat finds its own new hash in place and ends sessions that are already gone.
        repeatableWrite(signal),
      );
    },

    async byId(id, signal) {
      const row = await users.byId(id, signal);
      return row && toUser(row);
    },
  };

  /** The password is known only now, so now is the time to bring its hash to the configured cost. */
  async function renewHash(row: UserRow, password: string, signal: AbortSignal | undefined): Promise<void> {
    try {
      const newHash = await hasher.hash(password, signal);
      await users.renewHash({ id: row.id, currentHash: row.passwordHash, newHash }, signal);
    } catch (error) {
      onRehashFailed(error);
    }
  }
}

function toUser({ id, email, createdAt }: UserRow): User {
  return { id, email, createdAt };
}

function wrongCredentials(detail?: string): SluiceError {
  const headers = { 'WWW-Authenticate': 'Bearer' };
  return new SluiceError('invalid_credentials', detail === undefined ? { headers } : { headers, detail });
}
