/**
 * One process at a time in a data directory.
 *
 * A process that wants the directory listens on a unix socket of its own, named by the directory and a random part,
 * and then asks every other socket with that directory's name. A socket whose process has died, however it died,
 * refuses connections, so it is stale for certain: no pid is read, nothing needs cleaning up by hand.
 *
 * Safe against races, because everybody listens before looking: of two that come at once at least one sees the other.
 * Each answers `held` or `trying`; between two that try, the lower name goes on and the other one starts over.
 *
 * Limits: processes that do not share os.tmpdir() (two containers on one volume) do not see each other.
 */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, realpath, mkdir, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pause } from '../deadline.ts';

/** A held directory. It is also given back when the process ends in any way. */
export interface DataDirLock {
  release(): Promise<void>;
}

type Answer = 'held' | 'trying' | 'gone';

/** Longest try, in ms, while others try too; longest wait for one other's answer, in ms. */
const patienceMs = 5000;
const answerMs = 1000;

/**
 * Takes the directory, which is made when it is missing.
 * @throws {Error} naming the directory and DATA_DIR when a live process has it.
 */
export async function lockDataDir(dir: string): Promise<DataDirLock> {
  await mkdir(dir, { recursive: true });
  const prefix = `sluice-${createHash('sha256')
    .update(await realpath(dir))
    .digest('hex')
    .slice(0, 16)}-`;
  const giveUpAt = performance.now() + patienceMs;
  do {
    const lock = await tryOnce(prefix, giveUpAt);
    if (lock === 'in use') break;
    if (lock !== 'lost') return lock;
    await pause(20 + Math.random() * 80);
  } while (performance.now() < giveUpAt);
  throw new Error(`${dir} is used by another running Sluice. Stop that one, or set DATA_DIR to another directory.`);
}

async function tryOnce(prefix: string, giveUpAt: number): Promise<DataDirLock | 'in use' | 'lost'> {
  const name = `${prefix}${randomBytes(6).toString('hex')}.sock`;
  let state: Answer = 'trying';
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(state);
  });
  await listen(server, join(tmpdir(), name));
  const giveBack = () => new Promise<void>((resolve) => server.close(() => resolve()));
  try {
    for (;;) {
      const others = await askOthers(prefix, name);
      if (others.some(({ answer }) => answer === 'held')) return (await giveBack(), 'in use');
      if (others.some((other) => other.name < name) || performance.now() > giveUpAt) return (await giveBack(), 'lost');
      // Somebody who asked between our bind and our listen has taken us for dead: be seen before going on.
      if (others.length === 0) {
        if (existsSync(join(tmpdir(), name))) break;
        return (await giveBack(), 'lost');
      }
      await pause(20);
    }
  } catch (error) {
    await giveBack();
    throw error;
  }
  state = 'held';
  return { release: giveBack };
}

/** Every other live socket of the directory; the dead ones are removed on the way. */
async function askOthers(prefix: string, own: string): Promise<{ name: string; answer: Answer }[]> {
  const names = (await readdir(tmpdir())).filter((name) => name.startsWith(prefix) && name !== own);
  const answers = await Promise.all(
    names.map(async (name) => {
      const answer = await ask(join(tmpdir(), name));
      // Names are never used twice, so a dead one stays dead. One that was about to listen looks dead too: it will
      // look around after that, and find this process.
      if (answer === 'gone') await rm(join(tmpdir(), name), { force: true });
      return { name, answer };
    }),
  );
  return answers.filter(({ answer }) => answer !== 'gone');
}

function ask(path: string): Promise<Answer> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(path);
    // A live process that does not answer (it is stopped) counts as a holder; one that is just leaving is asked again.
    socket.setEncoding('utf8').setTimeout(answerMs, () => {
      resolve('held');
      socket.destroy();
    });
    socket.on('data', (part: string) => (text += part));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const dead = error.code === 'ECONNREFUSED' || error.code === 'ENOENT';
      if (dead) resolve('gone');
      else resolve(error.code === 'ECONNRESET' ? 'trying' : 'held');
    });
    socket.on('close', () => resolve(text === 'held' ? 'held' : 'trying'));
  });
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      // Only a holder of the lock keeps the process alive, not the lock itself.
      server.unref();
      resolve();
    });
  });
}
