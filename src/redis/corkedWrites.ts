/**
 * Lets the commands of one turn of the event loop leave in one write for each connection: a system call costs more than
 * everything else that is done for a command.
 *
 * The stream is corked at the first command and uncorked in the same turn, after all of its callbacks: `setImmediate`
 * runs when the sockets have been read, so commands of many HTTP requests leave together. Commands that others write to
 * the same stream meanwhile (ioredis itself) keep their place in the order, which an own buffer would lose.
 */
import type { Duplex } from 'node:stream';

/** See the module's header. */
export class CorkedWrites {
  readonly #streams: Duplex[] = [];

  /** Holds what is written to `stream` until the end of the turn. Cheap to call for every command. */
  cork(stream: Duplex): void {
    if (stream.writableCorked > 0) return;
    stream.cork();
    if (this.#streams.push(stream) === 1) setImmediate(this.#uncorkAll);
  }

  readonly #uncorkAll = (): void => {
    // A stream that was destroyed meanwhile has dropped its writes; uncorking it does nothing.
    for (const stream of this.#streams) stream.uncork();
    this.#streams.length = 0;
  };
}
