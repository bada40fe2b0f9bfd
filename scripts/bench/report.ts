/** The bench's table, for the terminal and for docs/benchmarks.md. */
import { clients } from './clients/all.ts';
import type { BenchLine } from './summary.ts';

/** Sentences and tables are the same; only the frame differs. */
export function drawTable(lines: readonly BenchLine[]): string {
  const rows = lines.map(cells);
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const draw = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column === 0 || column === 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ');
  const blocks = rows.flatMap((row, index) => {
    const [line, before] = [lines[index], lines[index - 1]];
    const begins = before !== undefined && (before.operation !== line?.operation || before.inFlight !== line.inFlight);
    return begins ? ['', draw(row)] : [draw(row)];
  });
  return `${[draw(headings), ...blocks].join('\n')}\n`;
}

/** The same as a Markdown table. */
export function markdownTable(lines: readonly BenchLine[]): string {
  const row = (list: readonly string[]): string => `| ${list.join(' | ')} |`;
  const rule = headings.map((_, column) => (column === 0 || column === 2 ? '---' : '---:'));
  return [row(headings), row(rule), ...lines.map((line) => row(cells(line)))].join('\n');
}

const headings = [
  'command',
  'in flight',
  'client',
  'ops/s',
  'lowest–highest',
  'p50 ms',
  'p99 ms',
  'CPU s / 100k',
  'to best peer',
  'failed',
];

function cells(line: BenchLine): string[] {
  const [lowest, highest] = line.range;
  return [
    line.operation.toUpperCase(),
    `${line.inFlight}`,
    clients[line.client].title,
    whole(line.perSecond),
    `${whole(lowest)}–${whole(highest)}`,
    line.p50.toFixed(2),
    line.p99.toFixed(2),
    line.cpuPer100k.toFixed(2),
    Number.isNaN(line.ratio) ? '–' : line.ratio.toFixed(2),
    `${line.failed}`,
  ];
}

/** `123,456` */
export function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
