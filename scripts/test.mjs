/**
 * `npm test`: installs and builds what is missing, makes sure that a redis-server is there, runs jest.
 * Arguments go to jest: `npm test -- tests/unit`.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail, prepare, root, say } from './bootstrap.mjs';

prepare();
requireRedis();

const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
const nodeOptions = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
const { status } = spawnSync(process.execPath, [...nodeOptions, jest, ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  // Colours follow the terminal; a test's own processes must not read a developer's settings.
  env: withoutOwnSettings(process.env),
});
process.exit(status ?? 1);

function requireRedis() {
  if (hasCommand('redis-server') || hasCommand('valkey-server')) return;
  const isDebian = hasCommand('apt-get');
  if (isDebian && process.getuid?.() === 0) {
    say('installing redis-server (apt-get) …');
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    spawnSync('apt-get', ['update', '-qq'], { stdio: ['ignore', 2, 2], env });
    // The package would start a server of its own on 6379; the tests start theirs on free ports.
    const install = [
      '-o',
      'Dpkg::Options::=--force-confold',
      'install',
      '-y',
      '-qq',
      '--no-install-recommends',
      'redis-server',
    ];
    const { status } = spawnSync('apt-get', install, { stdio: ['ignore', 'ignore', 2], env });
    if (status === 0 && hasCommand('redis-server')) return;
  }
  fail(
    'the tests need a redis-server (7.0 or later) or valkey-server on the PATH.\n' +
      '  Debian, Ubuntu:  sudo apt-get install redis-server\n' +
      '  macOS:           brew install redis',
  );
}

function hasCommand(name) {
  return spawnSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' }).status === 0;
}

function withoutOwnSettings(env) {
  const names = readFileSync(join(root, '.env.example'), 'utf8').matchAll(/^#? ?([A-Z][A-Z0-9_]+)=/gm);
  const kept = { ...env };
  for (const [, name] of names) delete kept[name];
  return kept;
}
