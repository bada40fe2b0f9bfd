import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import bcrypt from 'bcrypt';
import { createPasswordHasher, defaultHashConcurrency, type PasswordHasher } from '../../../src/auth/passwordHasher.ts';
import { passwordProblem } from '../../../src/auth/passwordRules.ts';

const hashers: PasswordHasher[] = [];
function hasher(options: Partial<Parameters<typeof createPasswordHasher>[1]> = {}) {
  const made = createPasswordHasher({}, { cost: 4, concurrency: 2, queueTimeoutMs: 30_000, ...options });
  hashers.push(made);
  return made;
}
afterEach(async () => {
  await Promise.all(hashers.splice(0).map((made) => made.close()));
});

describe('hash and verify', () => {
  test('a password verifies against its own hash only', async () => {
    const passwords = hasher();
    const stored = await passwords.hash('correct horse');
    expect(await passwords.verify('correct horse', stored)).toBe(true);
    expect(await passwords.verify('correct horsf', stored)).toBe(false);
    expect(await passwords.verify('', stored)).toBe(false);
  });

  test('what follows a NUL byte counts', async () => {
    const passwords = hasher();
    const stored = await passwords.hash('abc\0def');
    expect(await passwords.verify('abc\0def', stored)).toBe(true);
    expect(await passwords.verify('abc\0xyz', stored)).toBe(false);
    expect(await passwords.verify('abc', stored)).toBe(false);
  });

  test('no password longer than 72 bytes is ever right, though bcrypt would cut it to one that is', async () => {
    const passwords = hasher();
    const longest = 'é'.repeat(36);
    const stored = await passwords.hash(longest);
    expect(await passwords.verify(longest, stored)).toBe(true);
    expect(await bcrypt.compare(`${longest}x`, stored)).toBe(true);
    expect(await passwords.verify(`${longest}x`, stored)).toBe(false);
    await expect(passwords.hash(`${longest}x`)).rejects.toThrow(RangeError);
  });

  test('a hash of another cost verifies, and is known to be outdated', async () => {
    const passwords = hasher({ cost: 5 });
    const old = await bcrypt.hash('correct horse', 4);
    expect(await passwords.verify('correct horse', old)).toBe(true);
    expect(passwords.isOutdated(old)).toBe(true);
    expect(passwords.isOutdated(await passwords.hash('correct horse'))).toBe(false);
  });

  test('without a usable hash it does the work of a real comparison and answers false', async () => {
    const passwords = hasher({ cost: 10 });
    const stored = await passwords.hash('correct horse');
    const cpuMs = async (against: string | undefined, password = 'wrong horse') => {
      const before = process.cpuUsage();
      for (let i = 0; i < 5; i += 1) expect(await passwords.verify(password, against)).toBe(false);
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000;
    };
    const real = await cpuMs(stored);
    for (const spent of [
      await cpuMs(undefined),
      await cpuMs(''),
      await cpuMs('$2b$10$too.short'),
      await cpuMs(stored, 'x'.repeat(100)),
    ]) {
      expect(spent / real).toBeGreaterThan(0.5);
      expect(spent / real).toBeLessThan(2);
    }
  });

  test('refuses with a time to come back when the queue is too long', async () => {
    const passwords = hasher({ cost: 10, concurrency: 1, queueTimeoutMs: 200 });
    const outcomes = await Promise.allSettled(Array.from({ length: 40 }, () => passwords.verify('x', undefined)));
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refused.length).toBeGreaterThan(20);
    for (const { reason } of refused) {
      expect(reason).toMatchObject({
        code: 'overloaded',
        context: { retryAfterSeconds: expect.any(Number) as number },
      });
    }
    expect(passwords.stats()).toMatchObject({
      running: 0,
      waiting: 0,
      shed: refused.length,
      completed: 40 - refused.length,
    });
    await passwords.close();
    await expect(passwords.verify('x', undefined)).rejects.toMatchObject({ code: 'shutting_down' });
  });
});

describe('the thread pool', () => {
  test.each([
    [{ cpus: 2, threadPoolSize: 4 }, 2],
    [{ cpus: 16, threadPoolSize: 4 }, 3],
    [{ cpus: 16, threadPoolSize: 16 }, 15],
    [{ cpus: 1, threadPoolSize: 1 }, 1],
  ])('of %j lends bcrypt %i threads', (machine, expected) => {
    expect(defaultHashConcurrency(machine)).toBe(expected);
  });

  test('keeps a thread for others while 32 passwords are hashed', async () => {
    const threadPoolSize = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4);
    const capping = hasher({ cost: 10, concurrency: threadPoolSize - 1 });
    const uncapped = await medianStatMs((password) => bcrypt.hash(password, 10));
    const capped = await medianStatMs((password) => capping.hash(password));
    expect(uncapped / capped).toBeGreaterThan(5);
  });
});

/** How long `fs.stat`, asked every 5 ms, takes at the median, in ms, while 32 passwords are hashed. */
async function medianStatMs(hash: (password: string) => Promise<string>): Promise<number> {
  let hashing = true;
  const hashes = Promise.all(Array.from({ length: 32 }, (_, i) => hash(`password ${i}`))).finally(
    () => (hashing = false),
  );
  const probe = async () => {
    const startedAt = performance.now();
    await stat('.');
    return performance.now() - startedAt;
  };
  const probes: Promise<number>[] = [];
  while (hashing) {
    probes.push(probe());
    await sleep(5);
  }
  await hashes;
  const times = await Promise.all(probes);
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!;
}

describe('passwordProblem', () => {
  test.each([
    ['1234567', 'must have at least 8 characters'],
    ['😀😀😀😀😀😀😀', 'must have at least 8 characters'],
    ['a'.repeat(73), expect.stringContaining('72 bytes')],
    ['é'.repeat(37), expect.stringContaining('72 bytes')],
    ['😀'.repeat(18) + 'a', expect.stringContaining('72 bytes')],
    ['abcdefgh\ud800', 'must be valid Unicode text'],
  ])('%j', (password, problem) => {
    expect(passwordProblem(password, 8)).toEqual(problem);
  });

  test.each([
    '12345678',
    'a'.repeat(72),
    'é'.repeat(36),
    '😀'.repeat(18),
    '        ',
    'nul\0inside',
    '\u0000'.repeat(8),
  ])('nothing is wrong with %j', (password) => {
    expect(passwordProblem(password, 8)).toBeUndefined();
  });
});
