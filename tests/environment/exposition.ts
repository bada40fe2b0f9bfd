/** A strict reader of the Prometheus text format 0.0.4: what it does not know for certain is an error. */

/** One line of figures. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric with everything that belongs to it. */
export interface Family {
  readonly type: string;
  readonly help: string;
  readonly samples: Sample[];
}

const sampleLine = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (NaN|[+-]Inf|[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)$/i;
const labelPart = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/;
const suffixes: Readonly<Record<string, readonly string[]>> = {
  counter: [''],
  gauge: [''],
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count'],
};

/** Reads a whole exposition. @throws {Error} naming the first line that is not as it must be. */
export function parseExposition(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const families = new Map<string, Family>();
  const series = new Set<string>();
  const help = new Map<string, string>();
  let current = '';
  for (const line of text.slice(0, -1).split('\n')) {
    if (line === '') continue;
    const [, word, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (word === 'HELP') {
      if (help.has(name)) throw new Error(`a second HELP: ${line}`);
      help.set(name, rest);
    } else if (word === 'TYPE') {
      if (families.has(name) || suffixes[rest] === undefined) throw new Error(`a second or unknown TYPE: ${line}`);
      families.set(name, { type: rest, help: help.get(name) ?? '', samples: [] });
      current = name;
    } else {
      const sample = parseSample(line);
      const family = families.get(current);
      const ends = suffixes[family?.type ?? ''] ?? [];
      if (!ends.some((end) => sample.name === current + end)) throw new Error(`stands under ${current}: ${line}`);
      const key = `${sample.name} ${JSON.stringify(Object.entries(sample.labels).sort())}`;
      if (series.has(key)) throw new Error(`a second time: ${line}`);
      series.add(key);
      family?.samples.push(sample);
    }
  }
  for (const [name, family] of families) if (family.type === 'histogram') checkHistogram(name, family);
  return families;
}

/** The value of one series. @throws {Error} when there is none. */
export function valueOf(families: Map<string, Family>, name: string, labels: Record<string, string> = {}): number {
  const all = [...families.values()].flatMap(({ samples }) => samples);
  const found = all.find(
    (sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  );
  if (found === undefined) throw new Error(`no series ${name} ${JSON.stringify(labels)}`);
  return found.value;
}

function parseSample(line: string): Sample {
  const match = sampleLine.exec(line);
  if (match === null) throw new Error(`is not a sample: ${line}`);
  const [, name = '', text = '', value = ''] = match;
  const labels: Record<string, string> = {};
  for (let rest = text; rest !== '';) {
    const part = labelPart.exec(rest);
    if (part === null || part[1] === undefined || part[1] in labels) throw new Error(`has bad labels: ${line}`);
    labels[part[1]] = part[2] ?? '';
    rest = rest.slice(part[0].length);
  }
  return { name, labels, value: Number(value.replace(/inf/i, 'Infinity')) };
}

/** Buckets only grow, the last is +Inf and the same as the count. */
function checkHistogram(name: string, { samples }: Family): void {
  const groups = new Map<string, { le: number; value: number }[]>();
  for (const { name: own, labels, value } of samples) {
    if (own !== `${name}_bucket`) continue;
    const { le = '', ...others } = labels;
    const key = JSON.stringify(others);
    groups.set(key, [...(groups.get(key) ?? []), { le: le === '+Inf' ? Infinity : Number(le), value }]);
  }
  for (const [key, buckets] of groups) {
    const grows = buckets.every(
      (bucket, i) => i === 0 || (bucket.le > (buckets[i - 1]?.le ?? 0) && bucket.value >= (buckets[i - 1]?.value ?? 0)),
    );
    const count = samples.find(
      (sample) => sample.name === `${name}_count` && JSON.stringify(sample.labels) === key,
    )?.value;
    if (!grows || buckets.at(-1)?.le !== Infinity || buckets.at(-1)?.value !== count)
      throw new Error(`${name} ${key} is no histogram`);
  }
}
