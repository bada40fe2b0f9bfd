/** A child process that answers one ask at a time over Node's own channel. */
import { fork, type ChildProcess } from 'node:child_process';

/** A running child. */
export interface Child<Ask, Answer> {
  /** Sends an ask and waits for its answer. @throws {Error} when it ends, says `error`, or `timeoutMs` have passed. */
  ask(ask: Ask, timeoutMs: number): Promise<Answer>;
  /** Ends it; resolves when it is gone. */
  end(): Promise<void>;
}

/** Starts `script` (a built file) as a child of this process. */
export function startChild<Ask extends object, Answer extends { readonly error?: string }>(
  script: URL,
  signal: AbortSignal,
): Child<Ask, Answer> {
  const child: ChildProcess = fork(script, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.on('error', () => undefined);
  return {
    ask: (ask, timeoutMs) =>
      new Promise((resolve, reject) => {
        const settle = (finish: () => void): void => {
          clearTimeout(timer);
          child.off('message', onMessage).off('exit', onExit);
          signal.removeEventListener('abort', onAbort);
          finish();
        };
        const onMessage = (answer: unknown): void => {
          const { error } = answer as Answer;
          settle(() => (error === undefined ? resolve(answer as Answer) : reject(new Error(error))));
        };
        const onExit = (): void => settle(() => reject(new Error('the child process has ended')));
        const onAbort = (): void => settle(() => reject(signal.reason as Error));
        const timer = setTimeout(() => settle(() => reject(new Error(`no answer within ${timeoutMs} ms`))), timeoutMs);
        child.on('message', onMessage).on('exit', onExit);
        if (signal.aborted) onAbort();
        else signal.addEventListener('abort', onAbort);
        child.send(ask, () => undefined);
      }),
    async end() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await gone;
    },
  };
}
