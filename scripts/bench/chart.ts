/**
 * The bar chart of docs/benchmarks.md as SVG, drawn by hand: a panel an operation and load, a bar a client. The chart
 * libraries that render SVG on a server weigh tens of megabytes; this is one loop of rectangles.
 */
import { clients } from './clients/all.ts';
import { whole } from './report.ts';
import type { BenchLine } from './summary.ts';

const label = 170;
const bar = { height: 16, gap: 5, width: 210 };
const panel = { width: label + bar.width + 80, head: 34 };
const columns = 2;
const font = 'font-family="system-ui, sans-serif" font-size="12"';

/** Operations a second; longer is better. Sluice's bars stand out. */
export function drawChart(lines: readonly BenchLine[]): string {
  const panels = new Map<string, BenchLine[]>();
  for (const line of lines) {
    const title = `${line.operation.toUpperCase()}, ${line.inFlight} in flight`;
    panels.set(title, [...(panels.get(title) ?? []), line]);
  }
  const most = Math.max(0, ...[...panels.values()].map(({ length }) => length));
  const height = panel.head + most * (bar.height + bar.gap) + 12;
  const drawn = [...panels].map(([title, group], index) => {
    const [x, y] = [(index % columns) * panel.width, Math.floor(index / columns) * height];
    return `<g transform="translate(${x} ${y})">${drawPanel(title, group)}</g>`;
  });
  const size = [panel.width * columns, height * Math.ceil(panels.size / columns)];
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.join(' ')}" width="${size[0]}" height="${size[1]}" ${font}>` +
    `<title>Operations a second by client; longer is better</title><rect width="100%" height="100%" fill="#ffffff"/>` +
    `${drawn.join('')}</svg>\n`
  );
}

function drawPanel(title: string, lines: readonly BenchLine[]): string {
  const longest = Math.max(1, ...lines.map(({ perSecond }) => perSecond));
  const rows = lines.map(({ client, perSecond }, index) => {
    const y = panel.head + index * (bar.height + bar.gap);
    const width = ((perSecond / longest) * bar.width).toFixed(1);
    const middle = y + bar.height - 4;
    return (
      `<text x="${label - 8}" y="${middle}" text-anchor="end" fill="#333333">${escaped(clients[client].title)}</text>` +
      `<rect x="${label}" y="${y}" width="${width}" height="${bar.height}" fill="${client === 'sluice' ? '#c2410c' : '#94a3b8'}"/>` +
      `<text x="${label + Number(width) + 6}" y="${middle}" fill="#333333">${whole(perSecond)}</text>`
    );
  });
  return `<text x="${label}" y="22" font-weight="600" fill="#111111">${escaped(title)} (ops/s)</text>${rows.join('')}`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
