/**
 * @param {string} title
 * @param {string} unit
 * @param {readonly import('../types.mjs').Summary[]} summaries  The first is the base.
 * @returns {import('../types.mjs').Table}
 */
export function comparisonTable(title, unit, summaries) {
  return {
    title,
    columns: [
      { heading: 'row' },
      { heading: `p50 ${unit}` },
      { heading: `p95 ${unit}` },
      { heading: 'p50 ratio', digits: 3 },
      { heading: 'p95 ratio', digits: 3 },
      { heading: 'samples', digits: 0 },
    ],
    rows: summaries.map(({ name, p50, p95, ratio, p95Ratio, count }) => [name, p50, p95, ratio, p95Ratio, count]),
  };
}

/**
 * @param {readonly import('../types.mjs').Summary[]} summaries
 * @param {string} name
 */
export function find(summaries, name) {
  const summary = summaries.find((candidate) => candidate.name === name);
  if (!summary) throw new Error(`There is no row ${name}`);
  return summary;
}

/**
 * @param {string} name
 * @param {number} limit
 * @param {number | null} measured  null: could not be measured
 * @param {string} [unit]
 * @returns {import('../types.mjs').Target}
 */
export function atMost(name, limit, measured, unit = '') {
  return { name, bound: 'at most', limit, measured, unit };
}

/**
 * @param {string} name
 * @param {number} limit
 * @param {number | null} measured
 * @param {string} [unit]
 * @returns {import('../types.mjs').Target}
 */
export function atLeast(name, limit, measured, unit = '') {
  return { name, bound: 'at least', limit, measured, unit };
}

/** @param {import('../types.mjs').Target} target */
export function judge({ bound, limit, measured }) {
  if (measured === null) return 'not measured';
  const isReached = bound === 'at most' ? measured <= limit : measured >= limit;
  return isReached ? 'reached' : 'missed';
}
