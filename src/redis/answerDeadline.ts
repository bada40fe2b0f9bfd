/**
 * Gives up on answers that do not come, without mistaking our own slowness for the server's.
 *
 * A wall-clock timer does that wrong under load: when this process is starved of CPU for longer than the deadline,
 * the timer fires before the answer, which already lies in the socket, is read; then a healthy Redis would be taken
 * for a frozen one just when exact counts matter most. So the deadline is counted in ticks of the event loop: five
 * ticks of a fifth of the deadline each, and after each tick the sockets are read once before anything expires. In a
 * process that is not starved that is the deadline in ms (at most a fifth more); in one that is, it stretches.
 *
 * All calls share one timer, which runs only while calls wait. Each tick has a list of the calls that are due at it,
 * linked through the calls themselves: to add or remove one allocates nothing, and a settled call is held by nobody.
 * A late outcome is absorbed.
 */

/**
 * The command was sent and no answer came: not in time, or (`cause`) the connection was lost first. It may have been
 * done.
 */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
}

/** Something that waits for an answer, and the links by which the deadline finds it; null where there is none. */
export interface Watched {
  before: Watched | null;
  after: Watched | null;
  /** The deadline has passed; the call is no longer in any list. */
  expire(error: NoAnswerError): void;
}

/** See the module's header. */
export interface AnswerDeadline {
  readonly deadlineMs: number;
  /** Calls of `watch` that wait for an answer, given up ones included: their commands still occupy the connection. */
  readonly waiting: number;
  /**
   * Waits for `work` until the deadline.
   * @throws {NoAnswerError} when it passes; else what `work` throws.
   */
  watch<T>(work: Promise<T>): Promise<T>;
  /** The same for a caller that settles by itself: until `remove`, `call.expire` is called once when time is up. */
  add(call: Watched): void;
  /** The call is settled. Harmless when it has expired. */
  remove(call: Watched): void;
}

const ticksPerDeadline = 5;
/** One list for each tick ahead, one for the tick that is being expired. */
const listCount = ticksPerDeadline + 2;

/** `deadlineMs` in ms; `onMiss` is told of each call given up. */
export function createAnswerDeadline(onMiss: () => void, { deadlineMs }: { deadlineMs: number }): AnswerDeadline {
  const lists = Array.from({ length: listCount }, emptyList);
  let tick = 0;
  let expiredTick = 0;
  let watching = 0;
  let waiting = 0;
  let timer: NodeJS.Timeout | undefined;

  const expireOverdue = () => {
    while (expiredTick < tick) {
      expiredTick += 1;
      const list = lists[expiredTick % listCount] as Watched;
      for (let call = list.after; call !== null; call = list.after) {
        remove(call);
        onMiss();
        call.expire(new NoAnswerError(`no answer within ${deadlineMs} ms`));
      }
    }
    if (watching > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
  const onTick = () => {
    tick += 1;
    setImmediate(expireOverdue);
  };
  const add = (call: Watched) => {
    timer ??= setInterval(onTick, deadlineMs / ticksPerDeadline);
    watching += 1;
    const list = lists[(tick + ticksPerDeadline + 1) % listCount] as Watched;
    call.before = list;
    call.after = list.after;
    if (list.after !== null) list.after.before = call;
    list.after = call;
  };
  const remove = (call: Watched) => {
    if (call.before === null) return;
    watching -= 1;
    call.before.after = call.after;
    if (call.after !== null) call.after.before = call.before;
    call.before = null;
    call.after = null;
  };

  return {
    deadlineMs,
    get waiting() {
      return waiting;
    },
    add,
    remove,
    watch<T>(work: Promise<T>): Promise<T> {
      waiting += 1;
      return new Promise<T>((resolve, reject) => {
        const call: Watched = { before: null, after: null, expire: reject };
        add(call);
        work.then(
          (value) => {
            waiting -= 1;
            remove(call);
            resolve(value);
          },
          (error: Error) => {
            waiting -= 1;
            remove(call);
            reject(error);
          },
        );
      });
    },
  };
}

/** A list's head; never expires. */
function emptyList(): Watched {
  return { before: null, after: null, expire: () => undefined };
}
