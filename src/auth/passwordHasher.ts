/**
 * Password hashing: bcrypt, bounded in number and in queue time.
 *
 * bcrypt works in libuv's thread pool, which DNS look-ups and file work share. Uncapped, a login flood fills the pool
 * and delays everything else by seconds, without one more hash a second; so at most `concurrency` hashes run at once
 * (see `defaultHashConcurrency`), and who would wait longer than `queueTimeoutMs` is refused (see `boundedQueue.ts`).
 *
 * Invariants:
 * - `verify` always makes exactly one comparison. With no hash, with one that bcrypt cannot read, or with a password
 *   that bcrypt would cut, it compares with a decoy of the configured cost and answers false: that costs the same time.
 * - Neither a password nor a hash ever stands in an error.
 *
 * It depends on nothing but the CPU: a machine that is too slow shows as `overloaded`.
 */
import { randomBytes } from 'node:crypto';
import bcrypt from 'bcrypt';
import { BoundedQueue, type QueueStats } from './boundedQueue.ts';
import { fitsBcrypt, maxPasswordBytes } from './passwordRules.ts';

/** How passwords are hashed. */
export interface HasherOptions {
  /** bcrypt's work factor: 2^cost rounds. */
  readonly cost: number;
  /** Hashes at once. */
  readonly concurrency: number;
  readonly queueTimeoutMs: number;
}

/** What the hasher depends on. */
export interface HasherDeps {
  /** Milliseconds, monotonic. */
  readonly clock?: () => number;
}

/** See the head of this file. `hash` and `verify` throw `overloaded`, `shutting_down` or the signal's reason. */
export interface PasswordHasher {
  /** @throws {RangeError} for more than 72 bytes: the caller checks that first. */
  hash(password: string, signal?: AbortSignal): Promise<string>;
  /** `hash` undefined: there is no such account; takes as long as if there were, and answers false. */
  verify(password: string, hash: string | undefined, signal?: AbortSignal): Promise<boolean>;
  /** True when the hash was made at another cost than the configured one. */
  isOutdated(hash: string): boolean;
  /** True when a hash would start at once. */
  hasFreeSlot(): boolean;
  stats(): QueueStats;
  /** Waits for running hashes, refuses waiting ones. */
  close(): Promise<void>;
}

/** `$2b$<cost>$`, 22 characters of salt, 31 of digest. */
const bcryptHash = /^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/;
/** What one round of bcrypt takes on a usual core, in ms: 50 ms at cost 10, 205 ms at cost 12. */
const msPerRound = 0.05;

/** How many hashes may run at once: as many as there are cores, and always one thread of the pool left for others. */
export function defaultHashConcurrency(machine: { readonly cpus: number; readonly threadPoolSize: number }): number {
  return Math.max(1, Math.min(machine.cpus, machine.threadPoolSize - 1));
}

/** Makes a hasher. */
export function createPasswordHasher(
  { clock = () => performance.now() }: HasherDeps,
  { cost, concurrency, queueTimeoutMs }: HasherOptions,
): PasswordHasher {
  const queue = new BoundedQueue(clock, {
    concurrency,
    maxWaitMs: queueTimeoutMs,
    expectedWorkMs: msPerRound * 2 ** cost,
  });
  const decoy = decoyHash(cost);
  return {
    async hash(password, signal) {
      if (!fitsBcrypt(password)) throw new RangeError(`a password to hash has at most ${maxPasswordBytes} bytes`);
      return queue.run(() => bcrypt.hash(password, cost), signal);
    },
    async verify(password, hash, signal) {
      const comparable = hash !== undefined && bcryptHash.test(hash) && fitsBcrypt(password);
      const matches = await queue.run(() => bcrypt.compare(password, comparable ? hash : decoy), signal);
      return comparable && matches;
    },
    isOutdated: (hash) => !bcryptHash.test(hash) || bcrypt.getRounds(hash) !== cost,
    hasFreeSlot: () => queue.hasFreeSlot(),
    stats: () => queue.stats(),
    close: () => queue.close(),
  };
}

/** A well-formed hash of no known password: a real salt with a random digest, so that making it costs nothing. */
function decoyHash(cost: number): string {
  const digest = randomBytes(24).toString('base64').replaceAll('+', '.').slice(0, 31);
  return bcrypt.genSaltSync(cost) + digest;
}
