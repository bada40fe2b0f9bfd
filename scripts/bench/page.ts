/** Pages in docs/ that several commands write: each owns the part between its two markers. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { cpus, loadavg, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's docs/ folder, seen from the built script. */
export const docsFolder = fileURLToPath(new URL('../../../docs/', import.meta.url));

/** Puts `section` between its markers, at the end where there are none yet. */
export function withSection(page: string, name: string, section: string): string {
  const [begin, end] = [`<!-- ${name}: written by the command below -->`, `<!-- /${name} -->`];
  const block = `${begin}\n${section.trim()}\n${end}`;
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from === -1 || to < from) return `${page.trimEnd()}\n\n${block}\n`;
  return page.slice(0, from) + block + page.slice(to + end.length);
}

/** Reads the page (or starts it with `head`), puts the section in, writes it. */
export async function writeSection(file: string, head: string, name: string, section: string): Promise<void> {
  const page = await readFile(file, 'utf8').catch(() => head);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, withSection(page, name, section));
}

/** The load average of the last minute: taken before a run, it tells how busy others kept the machine. */
export function currentLoad(): number {
  return loadavg()[0] ?? 0;
}

/** Where and when: one sentence for the page. */
export function circumstances(server: { product: string; version: string }, load?: number, date = new Date()): string {
  const cores = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return (
    `${date.toISOString().slice(0, 10)}, ${cores.length} × ${cores[0]?.model.trim() ?? 'CPU'}, ${memory} GB, ` +
    `${process.platform} ${process.arch}, Node ${process.versions.node}, ${server.product} ${server.version}: ` +
    '3 masters and 3 replicas on the same machine' +
    `${load === undefined ? '' : `; other work on it before the start: load ${load.toFixed(1)} (1 is one busy core)`}.`
  );
}

/** The command as it was given, for the page: `npm run bench -- redis`. */
export function commandLine(script: string, args: readonly string[]): string {
  return `Command: \`npm run ${script}${args.length === 0 ? '' : ` -- ${args.join(' ')}`}\``;
}
