/**
 * Tells a process from a later one that was given the same pid, so that no signal ever reaches a stranger.
 *
 * Where nothing is known about a process (no /proc and no `ps`), it is taken for a stranger and left alone.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { pause } from '../deadline.ts';

/** A process at one start: the pid and the moment at which it began. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque; equal for equal processes. */
  readonly begun: string;
}

/** Who has this pid now; `undefined` when nobody has, or it has ended and was not collected yet. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  if (!exists(pid)) return undefined;
  const begun = process.platform === 'linux' ? await begunByProc(pid) : await begunByPs(pid);
  return begun === undefined ? undefined : { pid, begun };
}

/** Whether that very process still runs. */
export async function isRunning({ pid, begun }: ProcessIdentity): Promise<boolean> {
  return (await identify(pid))?.begun === begun;
}

/** Sends the signal if that very process still runs, and says whether it did. */
export async function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): Promise<boolean> {
  if (!(await isRunning(identity))) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Waits up to `timeoutMs` for the process to end, and says whether it has. */
export async function waitForEnd(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const giveUpAt = performance.now() + timeoutMs;
  while (await isRunning(identity)) {
    if (performance.now() > giveUpAt) return false;
    await pause(20);
  }
  return true;
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** proc(5): field 3 is the state, field 22 the start in ticks since boot; the name before them may hold anything. */
async function begunByProc(pid: number): Promise<string | undefined> {
  const [stat, boot] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined),
    readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => ''),
  ]);
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields ?? [];
  if (fields === undefined || state === 'Z' || state === 'X') return undefined;
  return `${boot.trim()}/${fields[19] ?? ''}`;
}

async function begunByPs(pid: number): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'lstart=,state=', '-p', `${pid}`], {
      timeout: 2000,
    });
    const text = stdout.trim();
    return text === '' || text.endsWith('Z') ? undefined : text.replace(/\s+\S+$/, '');
  } catch {
    return undefined;
  }
}
