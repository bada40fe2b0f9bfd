/** The chaos table, for the terminal and for docs/chaos.md. */
import type { CallerName } from './options.ts';
import type { Felt } from './runScenario.ts';

/** Callers as the tables name them. */
export const callerTitles: Record<CallerName, string> = {
  http: 'Sluice service, HTTP',
  sluice: 'Sluice client',
  ioredis: 'ioredis',
  'node-redis': 'node-redis',
  'valkey-glide': 'valkey-glide',
};

const headings = [
  'client',
  'calls',
  'failed',
  'over 100 ms',
  'over 150 ms',
  'worst ms',
  'machine ms',
  's to full service',
  'remarks',
];

/** One scenario's table for the terminal. */
export function drawTable(felt: readonly Felt[]): string {
  const rows = [headings, ...felt.map(cells)];
  const widths = headings.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const last = headings.length - 1;
  const draw = (row: string[]): string =>
    row
      .map((cell, column) =>
        column === 0 || column === last ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ');
  return `${rows.map((row) => draw(row).trimEnd()).join('\n')}\n`;
}

/** The same as a Markdown table. */
export function markdownTable(felt: readonly Felt[]): string {
  const row = (list: readonly string[]): string => `| ${list.join(' | ')} |`;
  const rule = headings.map((_, column) => (column === 0 || column === headings.length - 1 ? '---' : '---:'));
  return [
    row(headings),
    row(rule),
    ...felt.map((one) => row(cells(one).map((cell) => cell.replaceAll('|', '\\|')))),
  ].join('\n');
}

function cells({ caller, toll, health, leftOut, machineMs }: Felt): string[] {
  const title = callerTitles[caller];
  if (toll === undefined) return [title, '–', '–', '–', '–', '–', '–', '–', `left out: ${leftOut ?? ''}`];
  const { calls, failed, over100, over150, worst, secondsToFullService, commonest } = toll;
  const remarks = [
    ...(health === undefined || health.length === 0 ? [] : [`health: ${health.join(' → ')}`]),
    ...(commonest === undefined ? [] : [`mostly “${commonest.message}” (${commonest.count})`]),
  ];
  const service = Number.isFinite(secondsToFullService) ? secondsToFullService.toFixed(1) : 'not reached';
  return [
    title,
    ...[calls, failed, over100, over150].map((count) => count.toLocaleString('en-US')),
    worst.toFixed(0),
    (machineMs ?? 0).toFixed(0),
    service,
    remarks.join('; '),
  ];
}

/** The goal for the service, as reached: one sentence. */
export function verdict(felt: readonly Felt[]): string {
  const service = felt.flatMap(({ caller, toll }) => (caller === 'http' && toll !== undefined ? [toll] : []));
  if (service.length === 0) return 'The service was not measured.';
  const sum = (pick: (toll: (typeof service)[number]) => number): number =>
    service.reduce((total, toll) => total + pick(toll), 0);
  const [calls, failed, late] = [sum(({ calls }) => calls), sum(({ failed }) => failed), sum(({ over150 }) => over150)];
  const worst = Math.max(...service.map((toll) => toll.worst));
  return (
    `Goal for the service: no failed request, none over 150 ms. ${failed === 0 && late === 0 ? 'Reached' : 'Not reached'}: ` +
    `of ${calls.toLocaleString('en-US')} requests ${failed} failed and ${late} took over 150 ms; the worst took ${worst.toFixed(0)} ms.`
  );
}
