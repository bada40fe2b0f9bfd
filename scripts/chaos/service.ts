/** The service as an operator runs it: a process of its own on the given cluster, everything else embedded. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { NodeAddress } from '../../src/config/clusterNodes.ts';

/** A running service. */
export interface ServiceProcess {
  readonly url: string;
  /** Ends it and removes its folder. */
  end(): Promise<void>;
}

const startTimeoutMs = 60_000;
const endTimeoutMs = 10_000;

/** Starts the built service on a free port. @throws {Error} with its last words when it does not listen in time. */
export async function startServiceProcess(nodes: readonly NodeAddress[], signal: AbortSignal): Promise<ServiceProcess> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-chaos-service-'));
  const child = spawn(process.execPath, [fileURLToPath(new URL('../../src/main.js', import.meta.url))], {
    // Ctrl-C in the terminal must not end it before its parent has heard it.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: process.env['HOME'] ?? '',
      PORT: '0',
      LOG_FORMAT: 'json',
      // A line a request would measure the pipe to this process as well.
      LOG_LEVEL: 'warn',
      DATA_DIR: dir,
      TRUST_PROXY: 'loopback',
      REDIS_CLUSTER_NODES: nodes.map(({ host, port }) => `${host}:${port}`).join(','),
    },
  });
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const end = async (): Promise<void> => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), endTimeoutMs);
    await gone;
    clearTimeout(timer);
    await rm(dir, { recursive: true, force: true });
  };
  try {
    return { url: await listening(child.stdout, child.stderr, gone, signal), end };
  } catch (error) {
    await end();
    throw error;
  }
}

function listening(
  stdout: NodeJS.ReadableStream,
  stderr: NodeJS.ReadableStream,
  gone: Promise<void>,
  signal: AbortSignal,
): Promise<string> {
  return new Promise((resolve, reject) => {
    let lastWords = '';
    const hear = (line: string): void => {
      lastWords = line;
      const url = /listens on (http\S+)\. Try/.exec(line)?.[1];
      if (url === undefined) return;
      // A line a request follows: thrown away, or the pipe would fill up and stop the service.
      for (const reader of readers) reader.close();
      for (const stream of [stdout, stderr]) stream.resume();
      clearTimeout(timer);
      resolve(url);
    };
    const readers = [stdout, stderr].map((input) => createInterface({ input }).on('line', hear));
    const give = (why: string): void => reject(new Error(`the service ${why}: ${lastWords}`));
    const timer = setTimeout(() => give('did not listen in time'), startTimeoutMs);
    void gone.then(() => {
      clearTimeout(timer);
      give('has ended');
    });
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}
