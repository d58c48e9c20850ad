/** One line of a scrape. */
export type Sample = { name: string; labels: Record<string, string>; value: number };
export type Family = { name: string; type: string; help: string; samples: Sample[] };

const sampleLine = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const labelPair = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/;
const suffixes: Record<string, string[]> = {
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count'],
};

/**
 * Reads the text format of Prometheus 0.0.4, as strictly as `promtool check metrics` does: HELP and TYPE before the samples of
 * a family, families in one piece, no series twice, counters named as such, histograms cumulative and complete.
 * @throws Error that names the line
 */
export function readMetrics(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let current: Family | undefined;
  let help: [name: string, text: string] | undefined;
  if (!text.endsWith('\n')) throw new Error('The last line does not end');
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const [, kind, name, rest] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (kind === 'HELP') help = [name!, rest!];
    else if (kind === 'TYPE') {
      if (help?.[0] !== name) throw new Error(`TYPE without its HELP: ${line}`);
      if (families.has(name!)) throw new Error(`a family in two pieces: ${line}`);
      if (!['counter', 'gauge', 'histogram', 'summary'].includes(rest!)) throw new Error(`an unknown type: ${line}`);
      current = { name: name!, type: rest!, help: help![1], samples: [] };
      families.set(name!, current);
    } else {
      const sample = readSample(line);
      const names = (suffixes[current?.type ?? ''] ?? ['']).map((suffix) => current?.name + suffix);
      if (!names.includes(sample.name)) throw new Error(`a sample outside its family: ${line}`);
      const series = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
      if (seen.has(series)) throw new Error(`a series twice: ${line}`);
      seen.add(series);
      current!.samples.push(sample);
    }
  }
  for (const family of families.values()) checkFamily(family);
  return families;
}

function readSample(line: string): Sample {
  const [, name, inside = '', figure] = sampleLine.exec(line) ?? [];
  if (!name) throw new Error(`not a sample: ${line}`);
  const labels: Record<string, string> = {};
  for (let rest = inside; rest !== ''; ) {
    const [pair, label, value] = labelPair.exec(rest) ?? [];
    if (!pair || label! in labels) throw new Error(`labels that cannot be read: ${line}`);
    labels[label!] = value!.replace(/\\(.)/g, (_, each) => (each === 'n' ? '\n' : each));
    rest = rest.slice(pair.length);
  }
  const value = { '+Inf': Infinity, '-Inf': -Infinity }[figure!] ?? Number(figure);
  // As Go reads it, in any case.
  if (!/^nan$/i.test(figure!) && Number.isNaN(value)) throw new Error(`not a number: ${line}`);
  return { name, labels, value };
}

function checkFamily({ name, type, samples }: Family): void {
  if (type === 'counter' && !name.endsWith('_total')) throw new Error(`${name}: a counter ends in _total`);
  if (type === 'counter' && samples.some(({ value }) => !(value >= 0))) throw new Error(`${name} is below 0`);
  if (type !== 'histogram') return;
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const { le: _, ...labels } = sample.labels;
    const group = JSON.stringify(labels);
    groups.set(group, [...(groups.get(group) ?? []), sample]);
  }
  for (const [group, all] of groups) {
    const buckets = all.filter((each) => each.name.endsWith('_bucket'));
    const count = all.find((each) => each.name.endsWith('_count'))?.value;
    const bounds = buckets.map(({ labels }) => (labels.le === '+Inf' ? Infinity : Number(labels.le)));
    const isRising = (values: number[], least: number) =>
      values.every((value, index) => index === 0 || value - values[index - 1]! >= least);
    if (bounds.at(-1) !== Infinity || !isRising(bounds, Number.MIN_VALUE)) throw new Error(`${name}${group}: bounds`);
    const counts = buckets.map(({ value }) => value);
    if (!isRising(counts, 0) || counts.at(-1) !== count) throw new Error(`${name}${group} is not cumulative`);
    if (!all.some((each) => each.name.endsWith('_sum'))) throw new Error(`${name}${group} has no sum`);
  }
}

/** The value of one series; undefined if there is none. */
export const valueIn = (
  families: Map<string, Family>,
  name: string,
  labels: Record<string, string> = {},
): number | undefined =>
  [...families.values()]
    .flatMap(({ samples }) => samples)
    .find(
      (sample) =>
        sample.name === name &&
        Object.keys(sample.labels).length === Object.keys(labels).length &&
        Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    )?.value;
