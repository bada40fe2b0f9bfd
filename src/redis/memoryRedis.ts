/**
 * Memory as a backend: the commands that Sluice needs, with Redis's replies and errors, in this process alone.
 *
 * Invariants: bounded by keys and by bytes (see memory/keyspace.ts), no timers; commands and scripts are atomic, as each
 * runs in one piece; an error reply changes nothing. Reached by nobody else and gone with the process: `distributed`
 * is false. It never fails and depends on nothing.
 *
 * There is no Lua here. A script runs by its native twin, given by the script's name; without one it is refused with
 * {@link RedisUnavailableError}.
 */
import { EventEmitter } from 'node:events';
import { RedisUnavailableError, type BackendEvents, type CommandArgument, type RedisBackend } from './backend.ts';
import { prefixKeys } from './keyPrefix.ts';
import { runCommand } from './memory/commandTable.ts';
import { createKeyspace } from './memory/keyspace.ts';
import { createOperationTally } from './operationTally.ts';

/**
 * What a script does, in TypeScript: `call` is Lua's `redis.call`, its keys have their prefix already; what it returns
 * is the reply. It must not be async: that is what makes it atomic.
 */
export type NativeScript = (
  call: (name: string, ...args: (string | number)[]) => unknown,
  keys: readonly string[],
  args: readonly string[],
) => unknown;

/** How much it holds, and the scripts that it can run. */
export interface MemoryRedisOptions {
  readonly keyPrefix?: string;
  /** (100,000) */
  readonly maxKeys?: number;
  /** Roughly (64 MiB). */
  readonly maxBytes?: number;
  /** By the script's name. */
  readonly scripts?: Readonly<Record<string, NativeScript>>;
}

/** Ready at once. `now` is Unix time in ms. */
export function createMemoryRedis(
  { keyPrefix = '', maxKeys = 100_000, maxBytes = 64 * 2 ** 20, scripts = {} }: MemoryRedisOptions = {},
  { now = Date.now }: { now?: () => number } = {},
): RedisBackend & { readonly type: 'memory' } {
  const keyspace = createKeyspace({ now, maxKeys, maxBytes });
  const tally = createOperationTally();
  const twins = new Map(Object.entries(scripts));
  let closed = false;

  const assertOpen = () => {
    if (closed) throw new RedisUnavailableError('the memory backend is closed');
  };
  const execute = (name: string, args: readonly CommandArgument[]) => {
    assertOpen();
    return runCommand(keyspace, name, prefixKeys(keyPrefix, name, args).map(String));
  };
  const runTwin = (name: string, keys: readonly string[], args: readonly CommandArgument[]) => {
    assertOpen();
    const twin = twins.get(name);
    if (twin === undefined)
      throw new RedisUnavailableError(`memory has no Lua, and the script "${name}" no native twin`);
    const call = (command: string, ...words: (string | number)[]) => runCommand(keyspace, command, words.map(String));
    return twin(
      call,
      keys.map((key) => keyPrefix + key),
      args.map(String),
    );
  };

  return {
    type: 'memory',
    distributed: false,
    events: new EventEmitter<BackendEvents>(),
    isReady: () => !closed,
    executeCommand: <Reply>(name: string, ...args: CommandArgument[]) =>
      // eslint-disable-next-line @typescript-eslint/require-await -- what it throws is to be a rejection
      tally.measure(async () => execute(name, args) as Reply),
    runScript: <Reply>(...[script, keys, args]: Parameters<RedisBackend['runScript']>) =>
      // eslint-disable-next-line @typescript-eslint/require-await -- as above
      tally.measure(async () => runTwin(script.name, keys, args) as Reply),
    report: () => ({
      type: 'memory',
      ready: !closed,
      ...tally.report(),
      connections: { total: 0, active: 0, idle: 0 },
      nodes: [],
    }),
    close() {
      closed = true;
      keyspace.clear();
      return Promise.resolve();
    },
  };
}
