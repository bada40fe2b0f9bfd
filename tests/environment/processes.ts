/** Looks at other processes: Linux by /proc, elsewhere by pgrep. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/** The process ids of the direct children. */
export function childrenOf(pid: number): number[] {
  try {
    const text =
      process.platform === 'linux'
        ? readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
        : execFileSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' });
    return text
      .split(/\s+/)
      .filter((word) => word !== '')
      .map(Number);
  } catch {
    return [];
  }
}

/** Waits until none of them runs any more; fails after 20 s. */
export async function gone(pids: readonly number[]): Promise<void> {
  const giveUpAt = performance.now() + 20_000;
  while (pids.some(isAlive)) {
    if (performance.now() > giveUpAt) throw new Error(`still running: ${pids.filter(isAlive).join(', ')}`);
    await pause(10);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie answers too: ended, but not yet collected by its parent.
    return process.platform !== 'linux' || !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
