import { cellText, targetTexts } from './cells.mjs';
import { judge } from './findings.mjs';

/** Longer texts (what a peer confines) end here: the page has them whole. */
const WIDEST = 60;

/**
 * @param {{ title: string, findings: import('../types.mjs').Findings }} section
 */
export function terminalText({ title, findings: { tables, targets = [], notes = [] } }) {
  const parts = [`\n== ${title}`, ...tables.map(tableText), ...targets.map(targetText), ...notes];
  return parts.join('\n');
}

/** @param {import('../types.mjs').Table} table */
function tableText({ title, columns, rows }) {
  const lines = [columns.map(({ heading }) => heading), ...rows.map((row) => texts(row, columns))];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  const isText = columns.map((_, index) => typeof rows[0]?.[index] === 'string');
  const padded = lines.map((line) =>
    line.map((text, index) => (isText[index] ? text.padEnd(widths[index] ?? 0) : text.padStart(widths[index] ?? 0))),
  );
  return [`\n${title}`, ...padded.map((line) => `  ${line.join('  ').trimEnd()}`)].join('\n');
}

/**
 * @param {import('../types.mjs').Cell[]} row
 * @param {import('../types.mjs').Column[]} columns
 */
function texts(row, columns) {
  return row.map((cell, index) => {
    const text = cellText(cell, columns[index] ?? { heading: '' });
    return text.length > WIDEST ? `${text.slice(0, WIDEST - 1)}…` : text;
  });
}

/** @param {import('../types.mjs').Target} target */
function targetText(target) {
  const { bound, measured } = targetTexts(target);
  return `  ${judge(target)}: ${target.name}: ${measured} (${bound})`;
}
