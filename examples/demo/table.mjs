import { isUtf8 } from 'node:buffer';
import { bold, cut, dim, green, printable, red, width, yellow } from './terminal.mjs';

/**
 * @typedef {object} Row
 * @property {string} name
 * @property {import('pinfold').RunResult<unknown, Buffer>} result
 * @property {readonly string[]} differences
 */

/**
 * @typedef {object} Column
 * @property {string} title
 * @property {number} width 0: what the others leave
 * @property {boolean} [isNumber]
 * @property {(row: Row) => string} text
 */

/** @type {readonly Column[]} */
const columns = [
  { title: 'program', width: 18, text: ({ name }) => name },
  { title: 'reason', width: 12, text: ({ result }) => result.reason },
  { title: 'exit', width: 7, text: ({ result }) => String(result.exitCode ?? result.signalName ?? '') },
  { title: 'first line out', width: 0, text: ({ result }) => firstLine(result) },
  { title: 'wall ms', width: 7, isNumber: true, text: ({ result }) => rounded(result.usage.wallMs) },
  { title: 'cpu ms', width: 6, isNumber: true, text: ({ result }) => rounded(result.usage.cpuMs) },
  { title: 'peak MiB', width: 8, isNumber: true, text: ({ result }) => rounded(result.usage.memoryPeakBytes / MIB) },
];

const MARK = '✓ ';
const GAP = '  ';
const MIB = 1024 * 1024;

/** @param {string} title */
export function tableHead(title) {
  const line = columns.map((column) => fill(column, column.title)).join(GAP);
  return `${bold(title)}\n${' '.repeat(MARK.length)}${dim(line)}`;
}

/** @param {Row} row */
export function tableRow(row) {
  const isGood = row.differences.length === 0;
  const cells = columns.map((column) => fill(column, column.text(row)));
  const lines = [`${isGood ? green('✓') : red('✗')} ${cells.join(GAP)}`.trimEnd()];
  for (const difference of row.differences) lines.push(red(`  ${printable(difference)}`));
  return lines.join('\n');
}

const STATE_COLOURS = { enforced: green, partial: yellow, absent: red };

/** @param {import('pinfold').IsolationReport} report */
export function isolationTable({ guarantees }) {
  const lines = Object.entries(guarantees).flatMap(([name, { state, by, remedy }]) => {
    const row = `  ${name.padEnd(12)}${STATE_COLOURS[state](state.padEnd(10))}${by.join(', ')}`;
    return remedy === undefined ? [row] : [row, ...wrap(remedy, 24).map(dim)];
  });
  return [bold('What is enforced here'), ...lines].join('\n');
}

/** @param {Row['result']} result */
function firstLine({ stdout, stderr }) {
  const output = stdout.length > 0 ? stdout : stderr;
  if (!isUtf8(output)) return `(${output.length} bytes that are no text)`;
  const lines = output.toString().split('\n');
  return printable(lines.find((line) => line.trim() !== '') ?? '');
}

/**
 * @param {Column} column
 * @param {string} text
 */
function fill({ width: fixed, isNumber }, text) {
  const room = fixed || freeWidth();
  const short = cut(text, room);
  return isNumber ? short.padStart(room) : short.padEnd(room);
}

function freeWidth() {
  const taken = columns.reduce((sum, column) => sum + column.width + GAP.length, MARK.length - GAP.length);
  return Math.max(width - taken, 8);
}

/** @param {number} value */
function rounded(value) {
  return value < 100 ? value.toFixed(1) : String(Math.round(value));
}

/**
 * @param {string} text
 * @param {number} indent
 */
function wrap(text, indent) {
  /** @type {string[]} */
  const lines = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    line += line === '' ? word : ` ${word}`;
  }
  return [...lines, line].map((part) => ' '.repeat(indent) + part);
}
