/**
 * @param {import('../types.mjs').Cell} cell
 * @param {import('../types.mjs').Column} column
 */
export function cellText(cell, { digits = 2 }) {
  if (cell === null) return '–';
  return typeof cell === 'number' ? numberText(cell, digits) : cell;
}

/**
 * @param {number} value
 * @param {number} digits
 */
export function numberText(value, digits) {
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/**
 * At most three digits that count, for pictures and targets: 0.0512, 1.23, 456.
 * @param {number} value
 */
export function shortText(value) {
  return value.toLocaleString('en', value >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 });
}

/**
 * @param {import('../types.mjs').Target} target
 * @returns {{ bound: string, measured: string }}
 */
export function targetTexts({ bound, limit, measured, unit }) {
  const withUnit = (/** @type {number} */ value) => `${shortText(value)}${unit ? ` ${unit}` : ''}`;
  return {
    bound: `${bound === 'at most' ? '≤' : '≥'} ${withUnit(limit)}`,
    measured: measured === null ? '–' : withUnit(measured),
  };
}
