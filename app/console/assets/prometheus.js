// The text format of Prometheus, read as far as the Status page needs it.

/** Lines as [{name, labels, value}]. */
export function parse(text) {
  const samples = [];
  for (const line of text.split("\n")) {
    if (!line || line.startsWith("#")) continue;
    const found = /^([\w:]+)(?:\{(.*)\})? (\S+)/.exec(line);
    if (found) samples.push({ name: found[1], labels: labelsOf(found[2] ?? ""), value: numberOf(found[3]) });
  }
  return samples;
}

function labelsOf(text) {
  const labels = {};
  for (const [, name, value] of text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g))
    labels[name] = value.replace(/\\(["\\])/g, "$1");
  return labels;
}

function numberOf(text) {
  return text === "+Inf" ? Infinity : Number(text);
}

/** The value of the first sample that has this name and these labels; null where there is none. */
export function valueOf(samples, name, labels = {}) {
  const found = samples.find(
    (sample) =>
      sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  );
  return found ? found.value : null;
}

/** The sum of all samples of a name. */
export function sumOf(samples, name, keep = () => true) {
  return samples
    .filter((sample) => sample.name === name && keep(sample.labels))
    .reduce((sum, sample) => sum + sample.value, 0);
}

/** The values that a label takes among the samples of a name, in their order. */
export function labelValues(samples, name, label) {
  return [...new Set(samples.filter((sample) => sample.name === name).map((sample) => sample.labels[label]))];
}

/**
 * A quantile of a histogram, as Prometheus' histogram_quantile estimates it; null where nothing was observed.
 *
 * Within a bucket it is interpolated; beyond the last bound the last bound is all that is known.
 */
export function quantile(samples, name, labels, share) {
  const buckets = samples
    .filter(
      (sample) =>
        sample.name === `${name}_bucket` &&
        Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    )
    .map((sample) => [numberOf(sample.labels.le), sample.value])
    .sort(([a], [b]) => a - b);
  const total = buckets.at(-1)?.[1] ?? 0;
  if (!total) return null;
  const rank = share * total;
  const index = buckets.findIndex(([, upTo]) => upTo >= rank);
  const [bound, upTo] = buckets[index];
  const [below, before] = index ? buckets[index - 1] : [0, 0];
  return bound === Infinity ? below : below + ((bound - below) * (rank - before)) / (upTo - before);
}
