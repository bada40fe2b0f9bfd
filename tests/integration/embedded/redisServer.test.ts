/** Finding the installed server, and starting one node of it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identify, signalProcess, waitForEnd } from '../../../src/embedded/processIdentity.ts';
import { freePortPair } from '../../../src/embedded/redisPorts.ts';
import { findRedisServer, PortTaken, startRedisServer } from '../../../src/embedded/redisServer.ts';
import { redisBinary } from '../../environment/redisCluster.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-server-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe('the installed server', () => {
  it('is found with its product and version', async () => {
    const found = await findRedisServer();
    expect(found).toMatchObject({
      product: expect.stringMatching(/^(redis|valkey)$/) as string,
      version: expect.stringMatching(/^\d+\.\d+/) as string,
    });
  });

  it('is missing: says so for each name', async () => {
    expect(await findRedisServer(['no-such-server', 'nor-this-one'])).toEqual({
      missing: 'no-such-server is not installed; nor-this-one is not installed',
    });
  });

  it('is too old, or no server at all: says so, and looks further', async () => {
    const old = join(dir, 'old-server');
    await writeFile(old, '#!/bin/sh\necho "Redis server v=6.2.14 sha=00000000:0 malloc=jemalloc bits=64 build=0"\n');
    await chmod(old, 0o755);
    expect(await findRedisServer([old])).toEqual({ missing: `${old} is version 6.2.14, older than 7.0` });
    expect(await findRedisServer(['true'])).toEqual({ missing: 'true does not tell its version' });
    expect(await findRedisServer([old, 'redis-server', 'valkey-server'])).toHaveProperty('product');
  });
});

describe('one node', () => {
  it('runs in a process group of its own, on loopback, its password in no argument', async () => {
    const binary = await redisBinary();
    const port = await freePortPair('127.0.0.1', new Set(), Math.random);
    const node = await startRedisServer({
      binary,
      address: { host: '127.0.0.1', port },
      dir,
      password: 'hush-hush',
    });
    try {
      const fields = (await readFile(`/proc/${node.pid}/stat`, 'utf8')).split(') ')[1]?.split(' ');
      expect(Number(fields?.[2])).toBe(node.pid);
      expect(await readFile(`/proc/${node.pid}/cmdline`, 'utf8')).not.toContain('hush');
      expect((await stat(join(dir, 'redis.conf'))).mode & 0o077).toBe(0);
    } finally {
      await signalProcess(node, 'SIGKILL');
      expect(await waitForEnd(node, 5000)).toBe(true);
    }
  });

  it.each([0, 10_000])('whose port + %i is in use: is told so', async (offset) => {
    const binary = await redisBinary();
    const port = await freePortPair('127.0.0.1', new Set(), Math.random);
    const squatter = createServer().listen(port + offset, '127.0.0.1');
    await once(squatter, 'listening');
    const starting = startRedisServer({ binary, address: { host: '127.0.0.1', port }, dir });
    await expect(starting).rejects.toThrow(PortTaken);
    squatter.close();
  });
});

describe('free ports', () => {
  it('are free with their bus ports, not taken, and below the ephemeral range', async () => {
    const squatter = createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const { port: busy } = squatter.address() as AddressInfo;
    const taken = new Set<number>();
    for (let count = 0; count < 20; count++) {
      const port = await freePortPair('127.0.0.1', taken, () => 0.999_999);
      expect(taken.has(port)).toBe(false);
      expect(port).toBeGreaterThanOrEqual(17_000);
      expect(port + 10_000).toBeLessThan(32_768);
      expect([port, port + 10_000]).not.toContain(busy);
      taken.add(port);
    }
    squatter.close();
  });
});

describe('a process', () => {
  it('that has ended is not taken for the next one with its pid', async () => {
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    const identity = await identify(child.pid ?? 0);
    if (identity === undefined) throw new Error('not identified');
    expect(await signalProcess({ ...identity, begun: 'another time' }, 'SIGKILL')).toBe(false);
    expect(child.exitCode ?? child.signalCode).toBeNull();
    expect(await signalProcess(identity, 'SIGKILL')).toBe(true);
    expect(await waitForEnd(identity, 5000)).toBe(true);
    expect(await signalProcess(identity, 'SIGKILL')).toBe(false);
  });
});
