/** The commands that the memory backend knows, and how one of them is run. */
import type { Command } from './command.ts';
import { hashCommands } from './hashCommands.ts';
import type { Keyspace } from './keyspace.ts';
import { refusal } from './replies.ts';
import { stringCommands } from './stringCommands.ts';
import { timeCommands } from './timeCommands.ts';

const remove: Command = { args: [1, Infinity], run: (keys, names) => names.filter((key) => keys.delete(key)).length };

const wholeKeyspace: Record<string, Command> = {
  ping: { args: [0, 1], run: (_keys, [message]) => message ?? 'PONG' },
  del: remove,
  unlink: remove,
  exists: { args: [1, Infinity], run: (keys, names) => names.filter((key) => keys.get(key) !== undefined).length },
  dbsize: { args: [0, 0], run: (keys) => keys.size() },
  flushall: {
    args: [0, Infinity],
    run(keys, [mode, ...more]) {
      if (more.length > 0 || (mode !== undefined && !/^(a?sync)$/i.test(mode))) throw refusal.syntax();
      keys.clear();
      return 'OK';
    },
  },
};

const commands = new Map<string, Command>(
  Object.entries({ ...wholeKeyspace, ...stringCommands, ...timeCommands, ...hashCommands }),
);

/** @throws the error reply, as Redis words it. */
export function runCommand(keys: Keyspace, name: string, args: readonly string[]): unknown {
  const lower = name.toLowerCase();
  const command = commands.get(lower);
  if (command === undefined) throw refusal.unknown(name, args);
  const [least, most] = command.args;
  if (args.length < least || args.length > most) throw refusal.arity(lower);
  return command.run(keys, args);
}
