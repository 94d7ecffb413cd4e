import parse from 'parse-prometheus-text-format';

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Name → its samples, buckets of histograms among them as `…_bucket`. */
export type Samples = ReadonlyMap<string, readonly Sample[]>;

export function readSamples(text: string): Samples {
  // Without their types: told that a family is a histogram, the parser folds all its series into one.
  const families = parse(text.replaceAll(/^#.*\n?/gm, ''));
  const samples = new Map<string, Sample[]>();
  for (const { name, metrics } of families)
    samples.set(name, [
      ...(samples.get(name) ?? []),
      ...metrics.map(({ labels = {}, value }) => ({ labels, value: Number(value) })),
    ]);
  return samples;
}

/** Of all samples with these labels; undefined where there is none. */
export function sumOf(
  samples: Samples,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const found = (samples.get(name) ?? []).filter((sample) =>
    Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  );
  return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
}

/** What came between two readings. A process that was started again counts from zero. */
export function increase(
  before: Samples,
  after: Samples,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const [was, is] = [sumOf(before, name, labels) ?? 0, sumOf(after, name, labels) ?? 0];
  return is < was ? is : is - was;
}

/**
 * The quantile of what came between two readings, in the histogram's unit; undefined when nothing came. Within a bucket
 * it is a guess, as Prometheus makes it.
 */
export function quantile(
  before: Samples,
  after: Samples,
  name: string,
  labels: Readonly<Record<string, string>>,
  q: number,
): number | undefined {
  const edges = [...new Set((after.get(`${name}_bucket`) ?? []).map((sample) => sample.labels['le'] ?? '+Inf'))];
  const counts = edges
    .map((le) => ({
      edge: le === '+Inf' ? Infinity : Number(le),
      count: increase(before, after, `${name}_bucket`, { ...labels, le }),
    }))
    .sort((a, b) => a.edge - b.edge);
  const all = counts.at(-1)?.count ?? 0;
  if (all === 0) return undefined;
  const wanted = q * all;
  let lower = { edge: 0, count: 0 };
  for (const bucket of counts) {
    if (bucket.count >= wanted)
      return bucket.edge === Infinity
        ? lower.edge
        : lower.edge + ((bucket.edge - lower.edge) * (wanted - lower.count)) / Math.max(1, bucket.count - lower.count);
    lower = bucket;
  }
  return lower.edge;
}
