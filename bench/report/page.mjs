import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cellText, numberText, targetTexts } from './cells.mjs';
import { judge } from './findings.mjs';
import { drawPicture } from './picture.mjs';

/**
 * @typedef {object} Report
 * @property {ReturnType<typeof import('./machine.mjs').describeMachine> & { loadAfter: number }} machine
 * @property {number} rounds
 * @property {boolean} isSmoke
 * @property {({ name: string, title: string, about: string } & import('../types.mjs').Findings)[]} results
 */

/** Of a picture's own directory, beside the page. */
const PICTURES = 'benchmarks';
const LINE_WIDTH = 120;

/**
 * Writes benchmarks.md and its pictures.
 * @param {Report} report
 * @param {string} directory
 */
export function writePage(report, directory) {
  mkdirSync(join(directory, PICTURES), { recursive: true });
  for (const picture of report.results.flatMap(({ pictures = [] }) => pictures)) {
    writeFileSync(join(directory, PICTURES, `${picture.file}.svg`), drawPicture(picture));
  }
  writeFileSync(join(directory, 'benchmarks.md'), pageText(report));
}

/** @param {Report} report */
export function pageText(report) {
  const parts = [introduction(report), targetSection(report), ...report.results.map(section)];
  return `${parts.join('\n\n').split('\n').map(wrap).join('\n')}\n`;
}

/**
 * Prose is broken where the other pages break it.
 * @param {string} line
 */
function wrap(line) {
  if (line.startsWith('|') || line.startsWith('!')) return line;
  const lines = [''];
  for (const word of line.split(' ')) {
    const last = lines.length - 1;
    const longer = lines[last] ? `${lines[last]} ${word}` : word;
    if (longer.length <= LINE_WIDTH) lines[last] = longer;
    else lines.push(word);
  }
  return lines.join('\n');
}

/** @param {Report} report */
function introduction({ machine, rounds, isSmoke }) {
  const smoke = isSmoke ? ['**This was a smoke run: its numbers mean nothing.**'] : [];
  const paragraphs = [
    '# Benchmarks',
    'This page and its pictures are written by the benchmark itself. To redo it:',
    '```sh\nnpm ci && npm run bench\n```',
    ...smoke,
    'What is compared is measured in one run, round by round, each row once a round: whatever else the machine does meets ' +
      'all rows alike. So ratios tell more than times. `p50` is the median, `p95` the value below which 95% lie. Everybody starts ' +
      'the same interpreter by its real path, its output is read to the end, and its process is reaped.',
    'Other sandboxes are measured where they are installed: on Debian `bubblewrap` and `firejail` are packages, nsjail, ' +
      'minijail and isolate are built from their sources, and `npm install --no-save @anthropic-ai/sandbox-runtime` adds the ' +
      'last. What isn’t there is left out and named. `npm run bench -- --only latency` measures one section; `bench/main.mjs` ' +
      'tells the other options.',
    machineTable(machine, rounds),
  ];
  return paragraphs.join('\n\n');
}

/**
 * @param {Report['machine']} machine
 * @param {number} rounds
 */
function machineTable(machine, rounds) {
  const { numpy, pandas, commit } = machine;
  const rows = [
    ['date', machine.date],
    ['pinfold', `${machine.pinfold}${commit ? `, commit ${commit}` : ''}`],
    ['machine', `${machine.processor}, ${machine.cores} cores, ${machine.memoryGiB} GiB`],
    ['kernel', `Linux ${machine.kernel}`],
    ['user', machine.user],
    ['Node', machine.node],
    ['interpreter', `${machine.python}${numpy ? `, numpy ${numpy}` : ''}${pandas ? `, pandas ${pandas}` : ''}`],
    ['rounds', `${rounds}; fewer where a sample takes long`],
    ['load before and after', `${numberText(machine.load, 2)} and ${numberText(machine.loadAfter, 2)}`],
  ];
  return markdownTable(['', ''], rows);
}

/** @param {Report} report */
function targetSection({ results }) {
  const targets = results.flatMap(({ targets: ofSection = [] }) => ofSection);
  const rows = targets.map((target) => {
    const { bound, measured } = targetTexts(target);
    return [target.name, bound, measured, judge(target)];
  });
  return [
    '## Targets',
    'What the project wants to reach on a machine of two cores, and what this run measured. Ratios have no unit.',
    markdownTable(['target', 'wanted', 'measured', ''], rows),
  ].join('\n\n');
}

/** @param {Report['results'][number]} result */
function section({ title, about, tables, pictures = [], notes = [] }) {
  const images = pictures.map((picture) => `![${picture.title}, in ${picture.unit}](${PICTURES}/${picture.file}.svg)`);
  return [`## ${title}`, about, ...images, ...tables.map(tableText), ...notes].join('\n\n');
}

/** @param {import('../types.mjs').Table} table */
function tableText({ title, columns, rows }) {
  const texts = rows.map((row) => row.map((cell, index) => cellText(cell, columns[index] ?? { heading: '' })));
  const isText = columns.map((_, index) => typeof rows[0]?.[index] === 'string');
  return `### ${title}\n\n${markdownTable(
    columns.map(({ heading }) => heading),
    texts,
    isText,
  )}`;
}

/**
 * @param {string[]} headings
 * @param {string[][]} rows
 * @param {boolean[]} [isText]  Columns of numbers are set to the right.
 */
function markdownTable(headings, rows, isText = headings.map(() => true)) {
  const rule = headings.map((_, index) => (isText[index] ? '---' : '---:'));
  return [headings, rule, ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}
