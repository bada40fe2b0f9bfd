/** `npm run cluster -- up|status|failover|down`, as processes of their own. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-script-'));
});
afterAll(async () => {
  await cluster('down');
  await rm(dir, { recursive: true, force: true });
});

function cluster(...args: string[]): Promise<{ code: number; output: string }> {
  const env = { PATH: process.env['PATH'] ?? '', DATA_DIR: dir, PORT: '1' };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['dist/scripts/cluster/main.js', ...args],
      { env, timeout: 100_000 },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? -1), output: stdout + stderr });
      },
    );
  });
}

/** A server in the service's place, which refuses every second call, as a limit does. */
async function startStandIn(): Promise<{ server: Server; url: string }> {
  let calls = 0;
  const server = createServer((_request, response) => {
    response.statusCode = calls++ % 2 === 0 ? 200 : 429;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const masters = (output: string) => output.match(/^● .* master .*$/gm) ?? [];

describe('npm run cluster', () => {
  it('status, before anything runs: says so and fails', async () => {
    expect(await cluster('status')).toEqual({
      code: 1,
      output: expect.stringContaining('npm run cluster -- up') as string,
    });
  });

  it('up: starts a cluster that outlives the command; up again: finds it', async () => {
    expect(await cluster('up')).toMatchObject({
      code: 0,
      output: expect.stringContaining('healthy, 6 nodes, 16384 of 16384') as string,
    });
    expect(await cluster('up')).toMatchObject({
      code: 0,
      output: expect.stringContaining('was running') as string,
    });
  });

  it('status: draws masters with their slots and their replicas under them, without colours into a pipe', async () => {
    const { code, output } = await cluster('status');
    expect(code).toBe(0);
    expect(masters(output).map((line) => /slots (\S+) \((\d+)\)/.exec(line)?.[0])).toEqual([
      'slots 0-5460 (5461)',
      'slots 5461-10922 (5462)',
      'slots 10923-16383 (5461)',
    ]);
    expect(output.match(/^└─ ● \S+ +replica +in sync/gm)).toHaveLength(3);
    expect(output).not.toContain('\u001b');
  });

  it('failover --manual: hands a shard over, kills nobody, loses no increment', async () => {
    const { code, output } = await cluster('failover', '--manual');
    expect([code, output]).toEqual([0, expect.stringMatching(/handing over master[^]*the hand-over took 0\.\d+ s/)]);
    expect(output).toMatch(/no service answers at http:\/\/127\.0\.0\.1:1/);
    expect(output).toMatch(/\d+ increments done, 0 failed/);
  });

  it('failover: kills a master, tells what callers saw before, during and after, and brings it back as a replica', async () => {
    const { server, url } = await startStandIn();
    const { code, output } = await cluster('failover', '--url', url, '--rate', '40');
    server.close();
    expect([code, output]).toEqual([
      0,
      expect.stringMatching(/killing \(SIGKILL\) master[^]*the shard was out for \d+\.\d\d s/),
    ]);
    for (const phase of ['before', 'during', 'after']) {
      expect(output).toMatch(new RegExp(`${phase} +\\d+ calls: \\d+ × 200, \\d+ × 429; \\d+ over 100 ms`));
    }
    const killed = /killing \(SIGKILL\) master (\S+)/.exec(output)?.[1] ?? 'none';
    expect(output.slice(output.lastIndexOf('Redis Cluster:'))).toMatch(new RegExp(`└─ ● ${killed} +replica +in sync`));
  });

  it('down: stops it; status then says so', async () => {
    expect(await cluster('down')).toMatchObject({
      code: 0,
      output: expect.stringContaining('stopped') as string,
    });
    expect((await cluster('status')).code).toBe(1);
  });

  it('a wrong command or argument: shows how it is used, and starts nothing', async () => {
    for (const args of [['explode'], [], ['failover', '--rate', '5000'], ['up', 'twice']]) {
      expect(await cluster(...args)).toEqual({
        code: 2,
        output: expect.stringContaining('npm run cluster -- <command>') as string,
      });
    }
    expect((await cluster('status', '--loud')).code).toBe(2);
  });
});
