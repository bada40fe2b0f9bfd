/**
 * Takes commands to the node that owns their slot, and decides what their outcomes mean.
 *
 * Invariants: every command is settled once, by its deadline at the latest, whatever retries and redirections it went
 * through (one deadline covers them all). A command is sent again only if it was certainly not done (it was never
 * written, or the server refused it as TRYAGAIN, CLUSTERDOWN, LOADING or MASTERDOWN), or if it only reads. Commands in
 * flight are bounded.
 *
 * A node that is not connected or does not answer counts against its breaker and has the topology read again; an error
 * reply does not: whoever answers is alive. MOVED and ASK are followed and never reach the caller.
 */
import type { Redis } from 'ioredis';
import { createAnswerDeadline, NoAnswerError, type AnswerDeadline } from './answerDeadline.ts';
import { RedisUnavailableError, type CommandArgument } from './backend.ts';
import type { ClusterClient } from './clusterClient.ts';
import { ClusterCommand, type CommandSender } from './clusterCommand.ts';
import type { ClusterStats } from './clusterStats.ts';
import { isPassing, isReadOnly, needsOwnConnection } from './commandTraits.ts';
import { isReplyError } from './serverReply.ts';
import type { ShardBreakers } from './shardBreakers.ts';

/** How commands are sent. */
export interface DispatchOptions {
  readonly maxRetries: number;
  /** Mean pause before a retry, in ms. */
  readonly retryDelayMs: number;
  /** In ms. */
  readonly commandTimeoutMs: number;
  /** Commands that may wait for their outcome at once. */
  readonly maxInFlight: number;
  readonly readFrom: 'master' | 'replica' | 'nearest';
  readonly keyPrefix: string | undefined;
}

/** Collaborators: several `clients` of one cluster share the commands out between them. */
export interface DispatchDeps {
  readonly clients: readonly [ClusterClient, ...ClusterClient[]];
  readonly breakers: ShardBreakers;
  readonly stats: ClusterStats;
  readonly random: () => number;
}

const maxRedirects = 5;

/** See the module's header. */
export class ClusterDispatch implements CommandSender {
  /** Also for calls that are not commands of ours. */
  readonly deadline: AnswerDeadline;
  readonly #deps: DispatchDeps;
  readonly #options: DispatchOptions;
  readonly #pauses = new Set<NodeJS.Timeout>();
  #inFlight = 0;
  #turn = 0;
  #closed = false;

  constructor(deps: DispatchDeps, options: DispatchOptions) {
    this.#deps = deps;
    this.#options = options;
    this.deadline = createAnswerDeadline(this.#trouble, { deadlineMs: options.commandTimeoutMs });
  }

  /** See {@link RedisBackend.executeCommand}. */
  send(name: string, args: readonly CommandArgument[]): Promise<unknown> {
    const { stats } = this.#deps;
    stats.total += 1;
    if (this.#inFlight >= this.#options.maxInFlight || needsOwnConnection(name)) {
      stats.failed += 1;
      return Promise.reject(this.#refusal(name));
    }
    const command = new ClusterCommand(this, name, args, this.#options.keyPrefix);
    this.#inFlight += 1;
    this.deadline.add(command);
    this.#dispatch(command);
    return command.promise;
  }

  /** Gives up what still waits for a retry. */
  close(): void {
    this.#closed = true;
    for (const pause of this.#pauses) clearTimeout(pause);
    this.#pauses.clear();
  }

  answered(command: ClusterCommand): void {
    command.breaker?.succeeded();
    this.#deps.stats.answered(command.tally, performance.now() - command.startedAt);
    this.#settle(command);
  }

  failed(command: ClusterCommand, error: Error): void {
    if (isReplyError(error)) {
      if (this.#redirect(command, error.message)) return;
      command.breaker?.succeeded();
      if (isPassing(error.message)) {
        this.#trouble();
        if (this.#retry(command)) return;
      }
      this.#fail(command, error);
    } else {
      this.#noteFailure(command, error);
      if (isReadOnly(command.name) && this.#retry(command)) return;
      this.#fail(command, new NoAnswerError('the connection was lost before the answer', { cause: error }));
    }
  }

  expired(command: ClusterCommand, error: NoAnswerError): void {
    // Waiting for a retry: nothing of it is under way.
    if (command.breaker === undefined) return this.#fail(command, new RedisUnavailableError('not sent in time'));
    this.#noteFailure(command, error);
    this.#fail(command, error);
  }

  #dispatch(command: ClusterCommand): void {
    const { clients, breakers, stats } = this.#deps;
    const client =
      clients.length === 1 ? clients[0] : (clients[(this.#turn = (this.#turn + 1) % clients.length)] as ClusterClient);
    if (client.cluster.status !== 'ready') return this.#unsent(command, 'not connected to the cluster');
    const address = this.#addressFor(command, client);
    if (address === undefined) {
      client.reportTrouble();
      return this.#unsent(command, 'no node is known for the slot');
    }
    const breaker = breakers.of(address);
    if (!breaker.isClosed) {
      client.reportTrouble();
      // At once, without a retry: not to wait for this node is what the breaker is for.
      return this.#fail(command, new RedisUnavailableError(`the circuit breaker of ${address} is ${breaker.state}`));
    }
    const connection = client.connectionTo(address);
    if (connection === undefined) {
      const reason = `not connected to ${address}`;
      // A replica that was promoted a moment ago may still be connecting: a few commands must not trip its breaker.
      if (!client.isConnecting(address)) {
        stats.tallyOf(address).failures += 1;
        breaker.failed(new RedisUnavailableError(reason));
      }
      client.reportTrouble();
      return this.#unsent(command, reason);
    }
    this.#write(command, connection, address);
  }

  #write(command: ClusterCommand, connection: Redis, address: string): void {
    command.breaker = this.#deps.breakers.of(address);
    command.tally = this.#deps.stats.tallyOf(address);
    command.startedAt = performance.now();
    void connection.sendCommand(command);
  }

  #addressFor(command: ClusterCommand, client: ClusterClient): string | undefined {
    const slot = command.getSlot() as number | null;
    if (slot === null) return this.#anyMaster(client);
    const owners = client.ownersOf(slot);
    if (this.#options.readFrom === 'master' || owners.length < 2 || !isReadOnly(command.name)) return owners[0];
    return this.#options.readFrom === 'replica' ? this.#anyReplica(owners, client) : this.#nearest(owners, client);
  }

  /** For commands without a key. */
  #anyMaster(client: ClusterClient): string | undefined {
    const masters = client.masters();
    const usable = masters.filter((address) => this.#isUsable(address, client));
    const from = usable.length > 0 ? usable : masters;
    return from[Math.floor(this.#deps.random() * from.length)];
  }

  /** A replica that can answer; the master where none can. */
  #anyReplica(owners: readonly string[], client: ClusterClient): string | undefined {
    const replicas = owners.length - 1;
    const first = Math.floor(this.#deps.random() * replicas);
    for (let i = 0; i < replicas; i++) {
      const address = owners[1 + ((first + i) % replicas)] as string;
      if (this.#isUsable(address, client)) return address;
    }
    return owners[0];
  }

  #nearest(owners: readonly string[], client: ClusterClient): string | undefined {
    let best = owners[0];
    let bestMs = Infinity;
    for (const address of owners) {
      const ms = this.#deps.stats.tallyOf(address).recentLatencyMs;
      if (ms >= bestMs || !this.#isUsable(address, client)) continue;
      best = address;
      bestMs = ms;
    }
    return best;
  }

  #isUsable(address: string, client: ClusterClient): boolean {
    return this.#deps.breakers.of(address).isClosed && client.connections.get(address)?.status === 'ready';
  }

  /** Follows MOVED to the node that it names; ASK, and MOVED to a node that is not connected yet, by ioredis. */
  #redirect(command: ClusterCommand, message: string): boolean {
    const [kind, , target] = message.split(' ');
    if ((kind !== 'MOVED' && kind !== 'ASK') || target === undefined) return false;
    command.breaker?.succeeded();
    command.redirects += 1;
    if (command.redirects > maxRedirects) return false;
    const [client] = this.#deps.clients;
    client.reportTrouble();
    const address = client.reachable(target);
    const connection = kind === 'MOVED' ? client.connectionTo(address) : undefined;
    if (connection !== undefined) {
      this.#write(command, connection, address);
      return true;
    }
    // From here on ioredis's own handler takes each error first, and gives us those that it does not follow.
    command.redirects = maxRedirects;
    command.breaker = undefined;
    command.tally = undefined;
    void client.cluster.sendCommand(command);
    return true;
  }

  #unsent(command: ClusterCommand, reason: string): void {
    if (!this.#retry(command)) this.#fail(command, new RedisUnavailableError(reason));
  }

  #retry(command: ClusterCommand): boolean {
    if (this.#closed || command.retries >= this.#options.maxRetries) return false;
    command.retries += 1;
    command.breaker = undefined;
    command.tally = undefined;
    this.#deps.stats.retried += 1;
    const pause = setTimeout(
      () => {
        this.#pauses.delete(pause);
        if (!command.settled) this.#dispatch(command);
      },
      this.#options.retryDelayMs * (0.5 + this.#deps.random()),
    );
    this.#pauses.add(pause);
    return true;
  }

  #fail(command: ClusterCommand, error: Error): void {
    this.#deps.stats.failed += 1;
    this.#settle(command);
    command.settleError(error);
  }

  #settle(command: ClusterCommand): void {
    command.settled = true;
    this.#inFlight -= 1;
    this.deadline.remove(command);
  }

  #noteFailure(command: ClusterCommand, error: Error): void {
    command.breaker?.failed(error);
    if (command.tally !== undefined) command.tally.failures += 1;
    this.#trouble();
  }

  #refusal(name: string): Error {
    return needsOwnConnection(name)
      ? new TypeError(`${name.toUpperCase()} needs a connection of its own, not the one that all commands share`)
      : new RedisUnavailableError(`${this.#options.maxInFlight} commands already wait for their answer`);
  }

  readonly #trouble = (): void => {
    for (const client of this.#deps.clients) client.reportTrouble();
  };
}
