/** Deadlines: one `AbortSignal` says until when a piece of work is wanted. */
import { SluiceError } from './errors.ts';

/** Why a deadline's signal was aborted; what `signal.throwIfAborted()` throws. */
export function deadlineError(ms: number): SluiceError {
  return new SluiceError('deadline_exceeded', { detail: `No answer within ${ms} ms.` });
}

/**
 * Waits for `work`, but not past the signal. The work itself goes on; its late outcome is absorbed, so that it never
 * becomes an unhandled rejection.
 * @throws what `work` throws, or the signal's reason when that comes first.
 */
export async function within<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (signal === undefined) return work;
  work.catch(() => undefined);
  signal.throwIfAborted();
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/**
 * Waits until `work` has ended, well or not, but at most `ms` milliseconds; it goes on in the background. Its outcome is
 * its owner's to look at.
 */
export async function patiently(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([work.catch(() => undefined), patience]);
  clearTimeout(timer);
}

/**
 * Resolves after `ms` milliseconds.
 * @throws the signal's reason when it is aborted before.
 */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  try {
    await within(signal, new Promise<void>((resolve) => (timer = setTimeout(resolve, ms))));
  } finally {
    clearTimeout(timer);
  }
}
