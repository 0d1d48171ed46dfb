/** The value below which the given share of the samples lies (nearest rank). */
export function quantile(samples, share) {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
}

/** Median and 95th percentile, in the unit of the samples. */
export function summarise(samples) {
  return { count: samples.length, p50: quantile(samples, 0.5), p95: quantile(samples, 0.95) };
}
