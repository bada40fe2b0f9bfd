/**
 * One checked-out connection: every statement on it has a deadline, and a connection that is not known to be clean is
 * destroyed, never given back (node-postgres #3399: after a client-side timeout the old answer is still to come).
 */
import pg from 'pg';
import { within } from '../deadline.ts';
import { NoAnswerError } from './errorClass.ts';

/** The server's own limit acts first, so that the connection survives; this much later the client acts, in ms. */
const graceMs = 500;

/** A connection in use. */
export class Session {
  readonly #client: pg.PoolClient;
  #broken: Error | undefined;

  constructor(client: pg.PoolClient) {
    this.#client = client;
  }

  /** No statement on this connection can succeed any more. */
  get broken(): boolean {
    return this.#broken !== undefined;
  }

  /**
   * Sends one statement and waits for its answer: at most `timeoutMs` and some grace, and not past the signal.
   * `onSend` is called once it is certain that the statement goes out.
   * @throws {NoAnswerError} when the time passes; the signal's reason; what Postgres or the connection says.
   */
  async run(
    text: string,
    values: readonly unknown[] | undefined,
    wait: { readonly timeoutMs: number; readonly signal?: AbortSignal; readonly onSend?: () => void },
  ): Promise<pg.QueryResult> {
    wait.signal?.throwIfAborted();
    wait.onSend?.();
    const limitMs = wait.timeoutMs + graceMs;
    let timer: NodeJS.Timeout | undefined;
    try {
      const answer = this.#client.query(text, values as unknown[] | undefined);
      const late = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => reject(new NoAnswerError(limitMs)), limitMs);
      });
      return await within(wait.signal, Promise.race([answer, late]));
    } catch (error) {
      if (!isPlainRefusal(error)) this.#broken = error as Error;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Gives the connection back to the pool, or destroys it when it is not clean. */
  release(): void {
    const idle = this.#client.getTransactionStatus() === 'I';
    if (this.#broken === undefined && idle) {
      this.#client.release();
      return;
    }
    this.#client.release(this.#broken ?? new Error('left inside a transaction'));
    // pg says goodbye and then waits for the server to close; a frozen server never would.
    destroySocket(this.#client);
  }
}

/** Closes a connection's socket at once. */
export function destroySocket(client: pg.ClientBase): void {
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
}

/** The server answered and goes on with this connection. */
function isPlainRefusal(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.severity === 'ERROR';
}
