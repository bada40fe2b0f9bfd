/**
 * One command on its way through the cluster: ioredis's own `Command`, whose outcome passes by its sender first.
 *
 * So a command costs one promise, the one that its caller gets: the deadline, the breaker, a redirection or a retry act
 * on the command itself in place of wrapping promises around each other.
 */
import { Command } from 'ioredis';
import type { NoAnswerError, Watched } from './answerDeadline.ts';
import type { NodeTally } from './clusterStats.ts';
import type { ShardBreaker } from './shardBreakers.ts';

/** Who sent the command and decides what its outcome means; each is called while the command is not settled. */
export interface CommandSender {
  answered(command: ClusterCommand): void;
  /** To settle it, call `settleError`; else the command goes on (redirected, or to be sent again). */
  failed(command: ClusterCommand, error: Error): void;
  expired(command: ClusterCommand, error: NoAnswerError): void;
}

/** See the module's header. */
export class ClusterCommand extends Command implements Watched {
  before: Watched | null = null;
  after: Watched | null = null;
  readonly sender: CommandSender;
  /** When its present attempt began, in ms of `performance.now()`. */
  startedAt = 0;
  /** Where it was sent; undefined while it was not. */
  breaker: ShardBreaker | undefined = undefined;
  tally: NodeTally | undefined = undefined;
  settled = false;
  retries = 0;
  redirects = 0;
  /** Its caller's promise; ioredis's own settling functions. */
  readonly settleValue: (value: unknown) => void;
  readonly settleError: (error: Error) => void;

  constructor(
    sender: CommandSender,
    name: string,
    args: readonly (string | number | Buffer)[],
    keyPrefix: string | undefined,
  ) {
    super(
      name,
      args as (string | number | Buffer)[],
      keyPrefix === undefined ? utf8Replies : { replyEncoding: 'utf8', keyPrefix },
    );
    this.sender = sender;
    this.settleValue = this.resolve;
    this.settleError = this.reject;
    this.resolve = onAnswer;
    this.reject = onFailure;
  }

  expire(error: NoAnswerError): void {
    this.sender.expired(this, error);
  }
}

const utf8Replies = { replyEncoding: 'utf8' } as const;

// One function for all commands in place of a closure each: ioredis calls them as methods.
function onAnswer(this: ClusterCommand, value: unknown): void {
  if (this.settled) return;
  this.sender.answered(this);
  this.settleValue(value);
}

function onFailure(this: ClusterCommand, error: Error): void {
  if (!this.settled) this.sender.failed(this, error);
}
