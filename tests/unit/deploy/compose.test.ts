/** What docker/compose/dev.yml, its redis.conf and the Dockerfile promise, held against the files themselves. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { clusterTarget } from '../../../scripts/cluster/target.ts';

interface Service {
  image: string;
  command?: string[];
  entrypoint?: string[];
  user?: string;
  environment?: Record<string, string>;
  ports?: string[];
  secrets?: string[];
  volumes?: string[];
  restart?: string;
  stop_grace_period?: string;
  healthcheck?: { test?: string[]; disable?: boolean };
  networks?: Record<string, { ipv4_address: string }>;
  depends_on?: Record<string, { condition: string }>;
  deploy?: { resources: { limits: { cpus: string; memory: string } } };
}
interface Compose {
  services: Record<string, Service>;
  networks: Record<string, { ipam: { config: { subnet: string; ip_range: string }[] } }>;
  volumes: Record<string, unknown>;
  secrets: Record<string, { file: string }>;
}

const file = 'docker/compose/dev.yml';
const text = readFileSync(file, 'utf8');
const compose = parse(text, { merge: true }) as Compose;
const ports = [6379, 6380, 6381, 6382, 6383, 6384];
const nodes = Object.entries(compose.services).filter(([name]) => /^redis-\d$/.test(name));
const service = (name: string): Service => {
  const found = compose.services[name];
  if (found === undefined) throw new Error(`no service ${name}`);
  return found;
};
/** The value after an argument of the node's command. */
const argument = ({ command = [] }: Service, name: string) => command[command.indexOf(name) + 1];

/** Errors by dclint; its opinions on the order of keys are warnings. */
function lint(path: string): unknown[] {
  const { stdout } = spawnSync('node_modules/.bin/dclint', ['--quiet', '--formatter', 'json', path], {
    encoding: 'utf8',
  });
  return (JSON.parse(stdout) as { messages: unknown[] }[]).flatMap(({ messages }) => messages);
}

const conf = new Map(
  readFileSync('docker/compose/redis.conf', 'utf8')
    .split('\n')
    .filter((line) => /^[a-z]/.test(line))
    .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]),
);

describe('dev.yml', () => {
  it('is valid to the compose schema, which would see a typing error', async () => {
    expect(lint(file)).toEqual([]);
    const dir = await mkdtemp(join(tmpdir(), 'sluice-compose-'));
    await writeFile(join(dir, 'dev.yml'), text.replace('\n  image: ', '\n  imagee: '));
    expect(lint(join(dir, 'dev.yml'))).not.toEqual([]);
    await rm(dir, { recursive: true });
  });

  it('has six nodes, each on its own port inside and outside, on the loopback of the host only', () => {
    expect(nodes.map(([, node]) => node.ports)).toEqual(ports.map((port) => [`127.0.0.1:${port}:${port}`]));
    expect(nodes.map(([, node]) => argument(node, '--port'))).toEqual(ports.map(String));
  });

  it('publishes nothing to other machines, and no bus port to anybody', () => {
    const published = Object.values(compose.services).flatMap((each) => each.ports ?? []);
    for (const port of published) expect(port).toMatch(/^127\.0\.0\.1:/);
    for (const port of ports) expect(text).not.toContain(`${port + 10_000}`);
  });

  it('gives each node a static address, which it announces, apart from those that Docker gives out', () => {
    const addresses = nodes.map(([, { networks }]) => networks?.['sluice']?.ipv4_address);
    expect(new Set(addresses).size).toBe(6);
    expect(nodes.map(([, node]) => argument(node, '--cluster-announce-ip'))).toEqual(addresses);
    const [pool] = compose.networks['sluice']?.ipam.config ?? [];
    expect(pool?.subnet).toBe('172.28.79.0/24');
    expect(pool?.ip_range).toBe('172.28.79.128/25');
    for (const address of addresses) expect(Number(address?.split('.')[3])).toBeLessThan(128);
  });

  it('limits, restarts and checks each node, and gives it time to stop and a volume of its own', () => {
    for (const [index, [name, node]] of nodes.entries()) {
      expect(node.deploy?.resources.limits).toEqual({ cpus: '0.5', memory: '512M' });
      expect(node.restart).toBe('unless-stopped');
      expect(parseInt(node.stop_grace_period ?? '')).toBeGreaterThan(10);
      expect(node.healthcheck?.test).toEqual(['CMD', 'sh', '/etc/sluice/redisNode.sh', 'health', `${ports[index]}`]);
      expect(node.volumes).toEqual([`${name}-data:/data`]);
      expect(compose.volumes).toHaveProperty(`${name}-data`);
      expect(node.user).toBe('999:999');
    }
  });

  it("pins its images, and lets REDIS_IMAGE replace the nodes'", () => {
    for (const [, { image }] of nodes) expect(image).toMatch(/^\$\{REDIS_IMAGE:-redis:\d+\.\d+\.\d+\}$/);
    expect(service('postgres').image).toMatch(/:18\.\d+\}$/);
    expect(text).toMatch(/REDIS_IMAGE=valkey\/valkey:\d+\.\d+\.\d+/);
  });

  it('forms the cluster after all nodes are healthy, and starts the app after that', () => {
    const init = service('redis-init');
    expect(init.command).toEqual(['node', 'dist/scripts/cluster/init.js']);
    expect(init.depends_on).toEqual(
      Object.fromEntries(nodes.map(([name]) => [name, { condition: 'service_healthy' }])),
    );
    expect(init.restart).toBe('no');
    expect(init.image).toBe(service('app').image);
    expect(service('app').depends_on).toEqual({
      postgres: { condition: 'service_healthy' },
      'redis-init': { condition: 'service_completed_successfully' },
    });
  });

  it('names all six nodes to the app and to the init container, in the way that Sluice parses', () => {
    for (const name of ['app', 'redis-init']) {
      const text = service(name).environment?.['REDIS_CLUSTER_NODES'];
      const { redis } = clusterTarget({ REDIS_CLUSTER_NODES: text });
      expect(redis).toMatchObject({
        mode: 'cluster',
        nodes: nodes.map(([host], index) => ({ host, port: ports[index] })),
      });
    }
  });

  it('has every secret in a file that git does not see, and none in the repository', () => {
    for (const { environment = {} } of Object.values(compose.services)) {
      for (const [name, value] of Object.entries(environment)) {
        if (/PASSWORD|SECRET|DATABASE_URL|TOKEN/.test(name))
          expect([name, value]).toEqual([expect.stringMatching(/_FILE$/), expect.stringMatching(/^\/run\/secrets\//)]);
      }
    }
    for (const { file: path } of Object.values(compose.secrets)) expect(path).toMatch(/^\.\/secrets\/\w+\.txt$/);
    const ignored = execFileSync('git', ['check-ignore', 'docker/compose/secrets/redis_password.txt'], {
      encoding: 'utf8',
    });
    expect(ignored.trim()).toBe('docker/compose/secrets/redis_password.txt');
    const tracked = execFileSync('git', ['ls-files', 'docker/compose/secrets'], { encoding: 'utf8' }).trim();
    expect(['', 'docker/compose/secrets/.gitignore']).toContain(tracked);
  });
});

describe('redis.conf', () => {
  it.each([
    ['cluster-enabled', 'yes'],
    ['cluster-node-timeout', '2000'],
    ['cluster-require-full-coverage', 'no'],
    ['cluster-replica-validity-factor', '0'],
    ['repl-diskless-sync-delay', '0'],
    ['appendonly', 'yes'],
    ['appendfsync', 'everysec'],
    ['save', '""'],
    ['maxmemory-policy', 'noeviction'],
  ])('%s is %s', (name, value) => {
    expect(conf.get(name)).toBe(value);
  });

  it("leaves a third of the container's memory to replication, AOF and forks", () => {
    const megabytes = Number(/^(\d+)mb$/.exec(conf.get('maxmemory') ?? '')?.[1]);
    expect(megabytes).toBeGreaterThan(200);
    expect(megabytes).toBeLessThanOrEqual((512 * 2) / 3);
  });

  it('holds no password, no port and no address: those differ', () => {
    for (const name of ['requirepass', 'masterauth', 'port', 'cluster-announce-ip']) expect(conf.has(name)).toBe(false);
    // With one replica a master this would stop all writes of a shard after a failover.
    expect(conf.has('min-replicas-to-write')).toBe(false);
  });
});

describe('the Dockerfile', () => {
  const dockerfile = readFileSync('Dockerfile', 'utf8');
  const last = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));

  it('builds in one stage and ships another, on a pinned Node 24, as a user without rights', () => {
    expect(dockerfile).toMatch(/^ARG NODE_IMAGE=node:24\.\d+\.\d+-[a-z]+-slim$/m);
    expect(dockerfile.match(/^FROM \$\{NODE_IMAGE\}/gm)).toHaveLength(3);
    expect(last).toMatch(/^USER node$/m);
    expect(last).toMatch(/^CMD \["node", "dist\/src\/main.js"\]$/m);
    expect(last).toMatch(/HEALTHCHECK [^]*\/livez/);
  });

  it('ships production dependencies only, and neither sources nor secrets', () => {
    expect(dockerfile).toMatch(/AS dependencies[^]*npm ci --omit=dev/);
    expect(last).not.toMatch(/COPY (\.|src|scripts)/);
    expect(dockerfile).not.toMatch(/PASSWORD|SECRET|TOKEN/);
    const ignore = readFileSync('.dockerignore', 'utf8')
      .split('\n')
      .filter((line) => /^[^#\s]/.test(line));
    expect(ignore[0]).toBe('*');
    for (const line of ignore.slice(1))
      expect(line).toMatch(/^!(package\.json|package-lock\.json|\.npmrc|tsconfig\*\.json|scripts|src)$/);
  });

  it('has a health check that is a working program', () => {
    const command = JSON.parse(
      /HEALTHCHECK [^[]*(\[.*\])/.exec(last.replace(/\\\n/g, ''))?.[1]?.replace('"CMD", ', '') ?? '[]',
    ) as string[];
    expect(command.slice(0, 2)).toEqual(['node', '-e']);
    // Nothing listens on port 1: a health check that cannot fail would be none.
    expect(() => execFileSync(process.execPath, command.slice(1), { env: { PORT: '1' }, stdio: 'pipe' })).toThrow();
  });
});
