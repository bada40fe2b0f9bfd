/** Starts embeddedProcess.ts as a process of its own and talks to it. */
import { transformFileSync } from '@swc/core';
import { spawn, type ChildProcess } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { lockDataDir } from '../../../src/embedded/dataDirLock.ts';
import type { Line } from './embeddedProcess.ts';

/** The fixture, its types stripped and its imports taken from the build (`node scripts/build.mjs`). */
const script = transformFileSync(fileURLToPath(new URL('./embeddedProcess.ts', import.meta.url)), {
  swcrc: false,
  jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
  module: { type: 'es6' },
}).code.replaceAll(/\.\.\/\.\.\/\.\.\/(src\/[\w/]+)\.ts/g, `${new URL('../../../dist/', import.meta.url).href}$1.js`);
const children = new Set<ChildProcess>();

/** A running fixture. */
export interface EmbeddedProcess {
  readonly pid: number;
  readonly lines: readonly Line[];
  /** Waits for the first line that satisfies a condition. */
  line(wanted: (line: Line) => boolean): Promise<Line>;
  /** What it wrote to stderr. */
  errors(): string;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Ends its stdin, and waits until it has closed everything. */
  close(): Promise<void>;
}

/** Runs the fixture. */
export function runEmbedded(dataDir: string, mode: 'lock' | 'write' | 'serve'): EmbeddedProcess {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, dataDir, mode], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  children.add(child);
  const lines: Line[] = [];
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => (errors += part));
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(JSON.parse(line) as Line));
  const ended = new Promise<void>((resolve) => child.once('close', () => (children.delete(child), resolve())));
  const line = async (wanted: (line: Line) => boolean): Promise<Line> => {
    for (const giveUpAt = performance.now() + 30_000; performance.now() < giveUpAt; await pause(10)) {
      const found = lines.find(wanted);
      if (found !== undefined) return found;
      if (!children.has(child)) break;
    }
    throw new Error(`the fixture did not say so: ${JSON.stringify(lines)}\n${errors}`);
  };
  return {
    pid: child.pid ?? 0,
    lines,
    line,
    errors: () => errors,
    kill: async () => (child.kill('SIGKILL'), await ended),
    close: async () => (child.stdin.end(), await ended),
  };
}

/** For afterEach and afterAll: kills what still runs on the directory, and removes it. */
export async function endEmbedded(dataDir: string): Promise<void> {
  for (const child of children) child.kill('SIGKILL');
  while (children.size > 0) await pause(10);
  // Taking the lock removes what the killed ones left in the temporary folder.
  await (await lockDataDir(dataDir)).release();
  await rm(dataDir, { recursive: true, force: true });
}
