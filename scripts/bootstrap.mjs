/**
 * Runs a built script from a bare clone: installs the dependencies and builds when either is missing or older than
 * its sources, then imports the script into this same process, so that signals reach it directly.
 *
 *   node scripts/bootstrap.mjs src/main.js [arguments]
 *
 * Plain JavaScript with Node's own modules only: it runs before anything is installed.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const lockFile = join(root, 'package-lock.json');
const installedLock = join(root, 'node_modules', '.package-lock.json');
const buildStamp = join(root, 'dist', '.built');

/** Installs, builds: only what is needed. Ends the process with the reason when one fails. */
export function prepare() {
  requireNode();
  exclusively(() => {
    if (!isInstalled()) install();
    if (!isBuilt()) build();
  });
}

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  fail(`Sluice needs Node 20.19 or later; this is ${process.versions.node}. Install one from https://nodejs.org.`);
}

/** npm writes node_modules/.package-lock.json last, so a newer one than ours means a finished install. */
function isInstalled() {
  return existsSync(installedLock) && statSync(installedLock).mtimeMs >= statSync(lockFile).mtimeMs;
}

function install() {
  say('installing dependencies (npm ci) …');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
}

function isBuilt() {
  if (!existsSync(buildStamp)) return false;
  const builtAt = statSync(buildStamp).mtimeMs;
  const sources = ['src', 'scripts', 'package-lock.json'];
  return sources.every((source) => newestChange(join(root, source)) <= builtAt);
}

function build() {
  say('building …');
  run(process.execPath, [join(root, 'scripts', 'build.mjs')]);
  writeFileSync(buildStamp, '');
}

/** The latest modification under a path, in ms; a folder's own counts too, so that deleted files are seen. */
function newestChange(path) {
  const stats = statSync(path);
  if (!stats.isDirectory()) return stats.mtimeMs;
  return Math.max(stats.mtimeMs, ...readdirSync(path).map((name) => newestChange(join(path, name))));
}

/** Two commands started at once in one clone must not install over each other: the second waits for the first. */
function exclusively(work) {
  const lock = join(root, '.preparing');
  const owner = join(lock, 'pid');
  const giveUpAt = Date.now() + 10 * 60_000;
  while (!tryMkdir(lock)) {
    if (isAbandoned(owner)) rmSync(lock, { recursive: true, force: true });
    else if (Date.now() > giveUpAt) fail(`another command is still installing; if none is, remove ${lock}`);
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
  try {
    writeFileSync(owner, String(process.pid));
    work();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

function tryMkdir(path) {
  try {
    mkdirSync(path);
    return true;
  } catch {
    return false;
  }
}

function isAbandoned(owner) {
  try {
    process.kill(Number(readFileSync(owner, 'utf8')), 0);
    return false;
  } catch (error) {
    // ESRCH: the owner is gone. Anything else (no pid written yet) may be a command that has just begun.
    return error.code === 'ESRCH';
  }
}

export function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });
  if (status !== 0) fail(`${command} ${args.join(' ')} failed${error ? `: ${error.message}` : ''}`);
}

export function say(text) {
  process.stderr.write(`sluice: ${text}\n`);
}

export function fail(text) {
  // The lock is released by the process's end: the next command sees that its owner is gone.
  process.stderr.write(`sluice: ${text}\n`);
  process.exit(1);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , script] = process.argv;
  prepare();
  const entry = join(root, 'dist', script);
  process.argv.splice(1, 2, entry);
  await import(pathToFileURL(entry).href);
}
