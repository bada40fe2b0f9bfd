/**
 * Gives up on answers that do not come, without mistaking our own slowness for the server's.
 *
 * A wall-clock timer does that wrong under load: when this process is starved of CPU for longer than the deadline,
 * the timer fires before the answer, which already lies in the socket, is read; then a healthy Redis would be taken
 * for a frozen one just when exact counts matter most. So the deadline is counted in ticks of the event loop: five
 * ticks of a fifth of the deadline each, and after each tick the sockets are read once before anything expires. In a
 * process that is not starved that is the deadline in ms (at most a fifth more); in one that is, it stretches.
 *
 * All calls share one timer, which runs only while calls wait. A late outcome is absorbed.
 */

/** No answer came in time. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
}

/** See the module's header. */
export interface AnswerDeadline {
  /** Calls that wait for an answer, given up ones included: their commands still occupy the connection. */
  readonly waiting: number;
  /**
   * Waits for `work` until the deadline.
   * @throws {NoAnswerError} when it passes; else what `work` throws.
   */
  watch<T>(work: Promise<T>): Promise<T>;
}

const ticksPerDeadline = 5;

interface Call {
  readonly startTick: number;
  settled: boolean;
  expire(): void;
}

/** `deadlineMs` in ms; `onMiss` is told of each call given up. */
export function createAnswerDeadline(onMiss: () => void, { deadlineMs }: { deadlineMs: number }): AnswerDeadline {
  // All calls have the same deadline, so the oldest is always first.
  const calls: Call[] = [];
  let tick = 0;
  let waiting = 0;
  let timer: NodeJS.Timeout | undefined;

  const expireOverdue = () => {
    let overdue = 0;
    for (const call of calls) {
      if (!call.settled && tick - call.startTick <= ticksPerDeadline) break;
      overdue += 1;
      if (!call.settled) call.expire();
    }
    calls.splice(0, overdue);
    if (calls.length > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
  const onTick = () => {
    tick += 1;
    setImmediate(expireOverdue);
  };

  return {
    get waiting() {
      return waiting;
    },
    watch<T>(work: Promise<T>): Promise<T> {
      waiting += 1;
      timer ??= setInterval(onTick, deadlineMs / ticksPerDeadline);
      return new Promise<T>((resolve, reject) => {
        const call: Call = {
          startTick: tick,
          settled: false,
          expire() {
            call.settled = true;
            onMiss();
            reject(new NoAnswerError(`no answer within ${deadlineMs} ms`));
          },
        };
        calls.push(call);
        const settle = () => {
          waiting -= 1;
          call.settled = true;
        };
        work.then(
          (value) => {
            settle();
            resolve(value);
          },
          (error: Error) => {
            settle();
            reject(error);
          },
        );
      });
    },
  };
}
