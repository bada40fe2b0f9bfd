/**
 * A chain of backends as one: traffic goes to the first that can serve.
 *
 * Down: when the one in use is lost as a whole (it says so, or for `lossMs` every command on it failed), traffic moves
 * to the next ready one. One shard of a cluster that is out is not the whole: its commands fail here as they do there.
 * Up: a better one must be ready and answer probes for `stableMs` (with jitter, so that many processes do not return as
 * one); each time it is lost again soon after a return it has to last twice as long, up to `longestStableMs`. So traffic
 * cannot flap.
 *
 * Invariants: a command that may have been done is never repeated elsewhere; one that certainly was not sent is, once,
 * and only because traffic has moved. Data is not copied: after a move the next backend knows only its own keys. Each
 * move is one `moved` event. One timer, only while traffic is not on the first.
 *
 * When all fail: commands end as the one in use ends them, and traffic goes to the first that is ready again.
 */
import { EventEmitter } from 'node:events';
import { NoAnswerError } from './answerDeadline.ts';
import {
  RedisUnavailableError,
  type BackendEvents,
  type BackendReport,
  type BackendType,
  type CommandArgument,
  type RedisBackend,
} from './backend.ts';
import { createLossDetector } from './fallback/lossDetector.ts';
import { createReturnWatch } from './fallback/returnWatch.ts';
import { isUnusableReply } from './serverReply.ts';

/** One change of the backend in use. */
export interface Move {
  readonly from: BackendType;
  readonly to: BackendType;
  /** In words. */
  readonly reason: string;
}

/** `moved`: traffic goes elsewhere from now on. The other two are about the chain: whether any of it can serve. */
export interface FallbackEvents extends BackendEvents {
  moved: [move: Move];
}

/** Where traffic is. */
export interface FallbackStatus {
  readonly active: BackendType;
  /** The first of the chain. */
  readonly preferred: BackendType;
  /** Since the start. */
  readonly moves: number;
  /** `at` is Unix time in ms. */
  readonly lastMove: (Move & { readonly at: number }) | undefined;
  readonly chain: readonly { readonly type: BackendType; readonly ready: boolean; readonly active: boolean }[];
}

/** How patient the chain is. */
export interface FallbackOptions {
  /** Every command failed for this long, and at least `lossCommands` of them: lost (500 ms). */
  readonly lossMs?: number;
  /** (5) */
  readonly lossCommands?: number;
  /** A better backend is returned to after being well for this long, in ms (2000); half as much again by jitter. */
  readonly stableMs?: number;
  /** The most that this grows to (60,000). */
  readonly longestStableMs?: number;
  /** Pause between two probes of a better backend, in ms (250). */
  readonly probeMs?: number;
}

/** See the module's header. `type`, `distributed` and `isReady` are those of the backend in use. */
export interface FallbackBackend extends RedisBackend {
  readonly events: EventEmitter<FallbackEvents> & EventEmitter<BackendEvents>;
  /** The report of the backend in use, with the operations of the whole chain and where traffic is. */
  report(): BackendReport & { readonly fallback: FallbackStatus };
  status(): FallbackStatus;
}

/**
 * Takes the backends, best first, and closes them with itself. Wait for the first one before: one that is still
 * connecting counts as lost. `now` is in ms and must not go backwards, `wallClock` is Unix time in ms.
 */
export function createFallbackBackend(
  chain: readonly [RedisBackend, ...RedisBackend[]],
  options: FallbackOptions = {},
  { random = Math.random, now = () => performance.now(), wallClock = Date.now } = {},
): FallbackBackend {
  const { lossMs = 500, lossCommands = 5, stableMs = 2000, longestStableMs = 60_000, probeMs = 250 } = options;
  // One emitter; the type checker does not see that who knows all its events knows some of them.
  const events = new EventEmitter<FallbackEvents>() as FallbackBackend['events'];
  const loss = createLossDetector({ lossMs, lossCommands, now });
  let active: RedisBackend = chain[0];
  let moves = 0;
  let lastMove: FallbackStatus['lastMove'];
  let closed = false;
  let serving = active.isReady();

  const moveTo = (next: RedisBackend, reason: string) => {
    const move: Move = { from: active.type, to: next.type, reason };
    if (chain.indexOf(next) > chain.indexOf(active)) watch.lost(active);
    active = next;
    moves += 1;
    lastMove = { ...move, at: wallClock() };
    loss.reset();
    if (active === chain[0]) watch.stop();
    else watch.start();
    events.emit('moved', move);
  };
  /** The next one down that can serve, else the best other one that can. */
  const moveAway = (reason: Error) => {
    if (closed) return;
    const below = chain.slice(chain.indexOf(active) + 1);
    const next = [...below, ...chain].find((backend) => backend !== active && backend.isReady());
    if (next !== undefined) moveTo(next, reason.message);
    tellServing(reason);
  };
  const tellServing = (reason?: Error) => {
    if (closed || serving === active.isReady()) return;
    serving = !serving;
    if (serving) events.emit('ready');
    else events.emit('unavailable', reason ?? new Error('no backend is ready'));
  };
  const watch = createReturnWatch(
    {
      better: () => chain.slice(0, chain.indexOf(active)),
      onWell: (backend) => {
        moveTo(backend, `${backend.type} is well again`);
        tellServing();
      },
      now,
      random,
    },
    { stableMs, longestStableMs, probeMs },
  );
  const listeners = chain.map((backend) => {
    const onUnavailable = (reason: Error) => {
      watch.disturbed(backend);
      if (backend === active) moveAway(reason);
    };
    const onReady = () => {
      if (!active.isReady()) moveAway(new Error(`${active.type} is not ready`));
      tellServing();
    };
    backend.events.on('unavailable', onUnavailable);
    backend.events.on('ready', onReady);
    return () => backend.events.off('unavailable', onUnavailable).off('ready', onReady);
  });

  const run = async <Reply>(work: (backend: RedisBackend) => Promise<Reply>): Promise<Reply> => {
    if (!active.isReady()) moveAway(new Error(`${active.type} is not ready`));
    const used = active;
    try {
      const reply = await work(used);
      if (used === active) loss.answered();
      return reply;
    } catch (error) {
      if (used === active) judge(error as Error);
      if (!(error instanceof RedisUnavailableError) || used === active || closed) throw error;
      return work(active);
    }
  };
  const judge = (error: Error) => {
    const isLoss = error instanceof RedisUnavailableError || error instanceof NoAnswerError || isUnusableReply(error);
    if (!isLoss) loss.answered();
    else if (!active.isReady() || loss.failed()) moveAway(error);
  };
  const status = (): FallbackStatus => ({
    active: active.type,
    preferred: chain[0].type,
    moves,
    lastMove,
    chain: chain.map((backend) => ({ type: backend.type, ready: backend.isReady(), active: backend === active })),
  });

  return {
    get type() {
      return active.type;
    },
    get distributed() {
      return active.distributed;
    },
    events,
    isReady: () => active.isReady(),
    executeCommand: (name: string, ...args: CommandArgument[]) =>
      run((backend) => backend.executeCommand(name, ...args)),
    runScript: (script, keys, args) => run((backend) => backend.runScript(script, keys, args)),
    status,
    report: () => ({ ...active.report(), operations: operationsOf(chain), fallback: status() }),
    async close() {
      closed = true;
      watch.stop();
      for (const remove of listeners) remove();
      await Promise.allSettled(chain.map((backend) => backend.close()));
    },
  };
}

/** Summed, so that the counters never go back when traffic moves. */
function operationsOf(chain: readonly RedisBackend[]): BackendReport['operations'] {
  const sum = { total: 0, successful: 0, failed: 0, retried: 0 };
  for (const backend of chain) {
    const { operations } = backend.report();
    sum.total += operations.total;
    sum.successful += operations.successful;
    sum.failed += operations.failed;
    sum.retried += operations.retried;
  }
  return sum;
}
