/**
 * The value below which the given share of the samples lies (nearest rank).
 * @param {readonly number[]} samples
 * @param {number} share
 */
export function quantile(samples, share) {
  const sorted = [...samples].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (value === undefined) throw new RangeError('There is no quantile of nothing');
  return value;
}

/** @param {readonly number[]} samples */
export function median(samples) {
  return quantile(samples, 0.5);
}

/**
 * Each row beside the first one. Both ratios are against the median of the base: its own 95th percentile is too much a
 * matter of luck to divide by.
 * @param {ReadonlyMap<string, readonly number[]>} samples
 * @returns {import('../types.mjs').Summary[]}
 */
export function compare(samples) {
  const [base = []] = samples.values();
  const unit = median(base);
  return [...samples].map(([name, values]) => {
    const p50 = median(values);
    const p95 = quantile(values, 0.95);
    return { name, count: values.length, p50, p95, ratio: p50 / unit, p95Ratio: p95 / unit };
  });
}
