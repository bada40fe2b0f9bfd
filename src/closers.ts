/** Closes what was opened, last opened first. */
import type { Logger } from './observability/logger.ts';

/** A stack of things to close. */
export interface Closers {
  /** Notes how to close what was just opened. */
  push(name: string, close: () => Promise<void> | void): void;
  /** Closes all, in reverse order. One that fails or takes over `limitMs` milliseconds is logged and passed over. */
  closeAll(limitMs: number): Promise<void>;
}

/** See {@link Closers}. */
export function createClosers(logger: Logger): Closers {
  const stack: { name: string; close: () => Promise<void> | void }[] = [];
  return {
    push(name, close) {
      stack.push({ name, close });
    },
    async closeAll(limitMs) {
      for (let entry = stack.pop(); entry !== undefined; entry = stack.pop()) {
        const { name, close } = entry;
        let timer: NodeJS.Timeout | undefined;
        const limit = new Promise<never>((_resolve, reject) => {
          timer = setTimeout(() => reject(new Error(`not closed within ${limitMs} ms`)), limitMs);
        });
        try {
          await Promise.race([Promise.resolve().then(close), limit]);
        } catch (error) {
          logger.error({ err: error, part: name }, 'could not close');
        } finally {
          clearTimeout(timer);
        }
      }
    },
  };
}
