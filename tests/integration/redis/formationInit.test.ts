/** What docker/compose/dev.yml runs, without Docker: its node script with its redis.conf, and the init entry against it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { readClusterView } from '../../../src/redis/formation/clusterView.ts';
import { freePortPair } from '../../../src/embedded/redisPorts.ts';

const compose = resolve('docker/compose');
let dir: string;
let password: string;
let ports: number[];
let nodes: ChildProcess[] = [];

/** Runs a program to its end. */
async function run(
  command: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number; output: string }> {
  const child = spawn(command, args, {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const parts: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => parts.push(part.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? -1, output: parts.join('') };
}

const nodeEnv = (port: number) => ({
  REDIS_PASSWORD_FILE: join(dir, 'compose/secrets/redis_password.txt'),
  REDIS_CONF: join(compose, 'redis.conf'),
  REDIS_AUTH_CONF: join(dir, `auth-${port}.conf`),
});

/** As in dev.yml; only that all addresses are on loopback. */
async function startNode(port: number): Promise<ChildProcess> {
  const cwd = join(dir, `${port}`);
  await mkdir(cwd, { recursive: true });
  const args = [
    join(compose, 'redisNode.sh'),
    'start',
    '--port',
    `${port}`,
    '--cluster-announce-ip',
    '127.0.0.1',
    '--bind',
    '127.0.0.1',
  ];
  return spawn('sh', args, {
    cwd,
    env: { PATH: process.env['PATH'] ?? '', ...nodeEnv(port) },
    stdio: 'ignore',
  });
}

const health = async (port: number): Promise<number> =>
  (await run('sh', [join(compose, 'redisNode.sh'), 'health', `${port}`], nodeEnv(port))).code;

const init = (more: Record<string, string> = {}) =>
  run(process.execPath, ['dist/scripts/cluster/init.js'], {
    REDIS_CLUSTER_NODES: ports.map((port) => `localhost:${port}`).join(','),
    REDIS_CLUSTER_PASSWORD_FILE: join(dir, 'compose/secrets/redis_password.txt'),
    NODE_ENV: 'production',
    ...more,
  });

async function stopNodes(signal: NodeJS.Signals): Promise<void> {
  const running = nodes.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
  await Promise.all(running.map((node) => (node.kill(signal), once(node, 'exit'))));
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-compose-'));
  await cp(join(compose, 'makeSecrets.sh'), join(dir, 'compose/makeSecrets.sh'));
  expect((await run('sh', [join(dir, 'compose/makeSecrets.sh')])).code).toBe(0);
  password = await readFile(join(dir, 'compose/secrets/redis_password.txt'), 'utf8');
  const taken = new Set<number>();
  while (taken.size < 6) taken.add(await freePortPair('127.0.0.1', taken, Math.random));
  ports = [...taken];
  nodes = await Promise.all(ports.map(startNode));
});
afterAll(async () => {
  await stopNodes('SIGKILL');
  await rm(dir, { recursive: true, force: true });
});

/** What Docker does with the health checks before it starts the init container. */
async function untilHealthy(): Promise<void> {
  while ((await Promise.all(ports.map(health))).some((code) => code !== 0))
    await new Promise((done) => setTimeout(done, 100));
}

describe('the compose set-up', () => {
  it('makes long secrets once, in a folder that is closed to others', async () => {
    expect(password).toMatch(/^[0-9a-f]{48}$/);
    const url = await readFile(join(dir, 'compose/secrets/database_url.txt'), 'utf8');
    expect(url).toMatch(/^postgres:\/\/sluice:[0-9a-f]{48}@postgres:5432\/sluice$/);
    await run('sh', [join(dir, 'compose/makeSecrets.sh')]);
    expect(await readFile(join(dir, 'compose/secrets/redis_password.txt'), 'utf8')).toBe(password);
    expect((await stat(join(dir, 'compose/secrets'))).mode & 0o077).toBe(0);
  });

  it('forms a healthy cluster with the password, one JSON line a step', async () => {
    await untilHealthy();
    const { code, output } = await init();
    expect([code, output]).toEqual([0, expect.stringContaining('"msg":"the cluster is healthy"')]);
    const lines = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { msg: string; step?: string });
    expect(lines.filter(({ step }) => step?.startsWith('add slots'))).toHaveLength(3);
    expect(lines.filter(({ step }) => step?.startsWith('replicate'))).toHaveLength(3);
    expect(output).not.toContain(password);
    const view = await readClusterView(
      ports.map((port) => ({ host: '127.0.0.1', port })),
      { password },
    );
    expect(view.healthy).toBe(true);
    expect(view.nodes.map(({ maxMemoryBytes }) => maxMemoryBytes)).toEqual(new Array(6).fill(300 * 1_048_576));
  });

  it('shows the password in no argument, and keeps the file that holds it to its owner', async () => {
    for (const [index, { pid }] of nodes.entries()) {
      expect(await readFile(`/proc/${pid}/cmdline`, 'utf8')).not.toContain(password);
      expect((await stat(join(dir, `auth-${ports[index]}.conf`))).mode & 0o077).toBe(0);
    }
  });

  it('run again: changes nothing', async () => {
    const { code, output } = await init();
    expect(code).toBe(0);
    expect(JSON.parse(output.trim().split('\n').at(-1) ?? '')).toMatchObject({ changed: false });
  });

  it('after all nodes were killed and started again: finds the same cluster', async () => {
    await stopNodes('SIGKILL');
    nodes = await Promise.all(ports.map(startNode));
    await untilHealthy();
    const { code, output } = await init();
    expect(code).toBe(0);
    expect(JSON.parse(output.trim().split('\n').at(-1) ?? '')).toMatchObject({ changed: false });
  });

  it('without nodes to form: ends with an error that says what is missing', async () => {
    const { code, output } = await init({ REDIS_CLUSTER_NODES: '' });
    expect(code).toBe(1);
    expect(output).toContain('REDIS_CLUSTER_NODES is not set');
  });
});
