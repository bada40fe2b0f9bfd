import pg from 'pg';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endEmbedded, runEmbedded } from './runEmbedded.ts';

let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'sluice-embedded-'));
});

afterEach(() => endEmbedded(dataDir));

describe('the embedded Postgres', () => {
  test('has every acknowledged row after kill -9, and starts again by itself', async () => {
    const writer = runEmbedded(dataDir, 'write');
    await writer.line(({ written }) => written === 200);
    await writer.kill();
    const acknowledged = writer.lines.filter(({ written }) => written !== undefined).length;

    const again = runEmbedded(dataDir, 'serve');
    const { url } = await again.line((line) => line.url !== undefined);
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query<{ n: number; max: number }>('SELECT count(*)::int AS n, max(n) FROM written');
    await client.end();
    expect(rows[0]?.n).toBeGreaterThanOrEqual(acknowledged);
    expect(rows[0]?.n).toBe(rows[0]?.max);
    await again.close();
    expect(again.lines.at(-1)).toEqual({ closed: true });
    expect(writer.errors() + again.errors()).toBe('');
  });
});

describe('the lock of a data directory', () => {
  test('is refused while a live process has it, naming the directory and DATA_DIR', async () => {
    const holder = runEmbedded(dataDir, 'lock');
    await holder.line(({ locked }) => locked === true);
    const other = runEmbedded(dataDir, 'lock');
    const { refused } = await other.line((line) => line.refused !== undefined);
    expect(refused).toContain(dataDir);
    expect(refused).toContain('DATA_DIR');
  });

  test('is free again after a release and after kill -9', async () => {
    for (const end of ['close', 'kill'] as const) {
      const holder = runEmbedded(dataDir, 'lock');
      await holder.line(({ locked }) => locked === true);
      await holder[end]();
    }
    const next = runEmbedded(dataDir, 'lock');
    await expect(next.line(({ locked }) => locked === true)).resolves.toEqual({ locked: true });
  });

  test('goes to exactly one of eight processes that come at once, dead ones’ traces notwithstanding', async () => {
    const dead = runEmbedded(dataDir, 'lock');
    await dead.line(({ locked }) => locked === true);
    await dead.kill();
    const all = Array.from({ length: 8 }, () => runEmbedded(dataDir, 'lock'));
    const answers = await Promise.all(all.map((one) => one.line(() => true)));
    expect(answers.filter(({ locked }) => locked === true)).toHaveLength(1);
    expect(answers.filter(({ refused }) => refused !== undefined)).toHaveLength(7);
  });

  test('is seen by a process that the holder has no time to answer', async () => {
    const holder = runEmbedded(dataDir, 'lock');
    await holder.line(({ locked }) => locked === true);
    process.kill(holder.pid, 'SIGSTOP');
    const other = runEmbedded(dataDir, 'lock');
    await expect(other.line((line) => line.refused !== undefined)).resolves.toBeDefined();
    process.kill(holder.pid, 'SIGCONT');
  });
});
