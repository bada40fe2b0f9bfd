import { SluiceError } from '../../../src/errors.ts';
import type { Stage } from '../../../src/postgres/errorClass.ts';
import { backoffMs, withRetry, type Progress, type RetryContext } from '../../../src/postgres/retry.ts';

const policy = { attempts: 4, baseMs: 10, capMs: 50 };
const withCode = (code: string) => Object.assign(new Error('x'), { code });

/** Fails with `codes` one after the other, each at `stage`, then succeeds. */
function failing(codes: string[], stage: Stage, context: Partial<RetryContext> = {}) {
  let tries = 0;
  const result = withRetry(
    (progress) => {
      progress.stage = stage;
      const code = codes[tries++];
      return code === undefined ? Promise.resolve('done') : Promise.reject(withCode(code));
    },
    {
      repeatable: undefined,
      signal: new AbortController().signal,
      policy,
      random: () => 0,
      onFailure: () => undefined,
      ...context,
    },
  );
  return { result, tries: () => tries };
}

describe('backoff', () => {
  test('grows twofold up to the cap, and jitter takes the whole range below', () => {
    const upper = [1, 2, 3, 4, 5].map((attempt) => backoffMs(attempt, () => 1, policy));
    expect(upper).toEqual([10, 20, 40, 50, 50]);
    expect(backoffMs(3, () => 0, policy)).toBe(0);
    expect(backoffMs(3, () => 0.25, policy)).toBe(10);
  });
});

describe('withRetry', () => {
  test.each([
    ['ECONNREFUSED', 'connecting'],
    ['57P03', 'connecting'],
    ['40001', 'sent'],
    ['40P01', 'in_transaction'],
    ['57P01', 'in_transaction'],
    ['53300', 'connecting'],
  ] as const)('repeats %s at stage %s, whether or not it is repeatable', async (code, stage) => {
    const run = failing([code, code], stage);
    await expect(run.result).resolves.toBe('done');
    expect(run.tries()).toBe(3);
  });

  test('an ambiguous failure of what is not repeatable is tried once and called outcome_unknown', async () => {
    const run = failing(['ECONNRESET'], 'sent');
    await expect(run.result).rejects.toMatchObject({ code: 'outcome_unknown', cause: { code: 'ECONNRESET' } });
    expect(run.tries()).toBe(1);
  });

  test.each(['read', 'write'] as const)('an ambiguous failure of a repeatable %s is repeated', async (repeatable) => {
    const run = failing(['ECONNRESET', '57P01'], 'sent', { repeatable });
    await expect(run.result).resolves.toBe('done');
  });

  test('a repeatable write that may have been done is unknown, whatever fails after that', async () => {
    const stages: Stage[] = ['sent', 'connecting', 'connecting', 'connecting'];
    let tries = 0;
    const attempt = (progress: Progress) => {
      progress.stage = stages[tries++] ?? 'connecting';
      return Promise.reject(withCode(progress.stage === 'sent' ? 'ECONNRESET' : 'ECONNREFUSED'));
    };
    const context = { signal: new AbortController().signal, policy, random: () => 0, onFailure: () => undefined };
    await expect(withRetry(attempt, { repeatable: 'write', ...context })).rejects.toMatchObject({
      code: 'outcome_unknown',
    });
    tries = 0;
    await expect(withRetry(attempt, { repeatable: 'read', ...context })).rejects.toMatchObject({
      code: 'database_unavailable',
    });
  });

  test.each(['57014', '55P03', '53200'])('overload (%s) is never repeated', async (code) => {
    const run = failing([code], 'sent', { repeatable: 'write' });
    await expect(run.result).rejects.toMatchObject({ code: 'overloaded', context: { retryAfterSeconds: 1 } });
    expect(run.tries()).toBe(1);
  });

  test('a data error reaches the caller as it is', async () => {
    const run = failing(['23505'], 'sent', { repeatable: 'write' });
    await expect(run.result).rejects.toMatchObject({ name: 'Error', code: '23505' });
    expect(run.tries()).toBe(1);
  });

  test('stops after the last attempt', async () => {
    const run = failing(Array<string>(10).fill('ECONNREFUSED'), 'connecting');
    await expect(run.result).rejects.toMatchObject({ code: 'database_unavailable', context: { retryAfterSeconds: 1 } });
    expect(run.tries()).toBe(4);
    await expect(failing(Array<string>(10).fill('40001'), 'sent').result).rejects.toMatchObject({ code: 'overloaded' });
  });

  test('a pause ends when the signal is aborted, and says that the database was away', async () => {
    const stop = new AbortController();
    const slow = { policy: { attempts: 3, baseMs: 600_000, capMs: 600_000 }, random: () => 1, signal: stop.signal };
    const result = withRetry(
      (progress) => {
        if (stop.signal.aborted) return Promise.reject(stop.signal.reason as Error);
        progress.stage = 'connecting';
        return Promise.reject(withCode('ECONNREFUSED'));
      },
      { repeatable: undefined, onFailure: () => undefined, ...slow },
    );
    setImmediate(() => stop.abort(new SluiceError('deadline_exceeded')));
    await expect(result).rejects.toMatchObject({ code: 'database_unavailable' });
  });

  test.each([
    ['sent', undefined, 'outcome_unknown'],
    ['sent', 'write', 'outcome_unknown'],
    ['sent', 'read', 'deadline_exceeded'],
    ['in_transaction', undefined, 'deadline_exceeded'],
  ] as const)('a deadline at stage %s, repeatable: %s, is %s', async (stage, repeatable, code) => {
    const stop = new AbortController();
    const result = withRetry(
      (progress) => {
        progress.stage = stage;
        stop.abort(new SluiceError('deadline_exceeded'));
        return Promise.reject(stop.signal.reason as Error);
      },
      { repeatable, signal: stop.signal, policy, random: () => 0, onFailure: () => undefined },
    );
    await expect(result).rejects.toMatchObject({ code });
  });

  test('an error of the caller’s own code is never taken for the database’s', async () => {
    let tries = 0;
    const result = withRetry(
      (progress) => {
        tries++;
        progress.stage = 'in_transaction';
        const error = withCode('ECONNREFUSED');
        progress.callersOwn = error;
        return Promise.reject(error);
      },
      {
        repeatable: 'write',
        signal: new AbortController().signal,
        policy,
        random: () => 0,
        onFailure: () => undefined,
      },
    );
    await expect(result).rejects.toMatchObject({ name: 'Error', code: 'ECONNREFUSED' });
    expect(tries).toBe(1);
  });
});
