// npm run demo: runs ordinary and hostile Python programs, confined, and tells how each ended and what it used.
import { Sandbox, SandboxError } from 'pinfold';
import { differences } from './expectation.mjs';
import { hostilePrograms } from './hostile.mjs';
import { ordinaryPrograms } from './ordinary.mjs';
import { mounts } from './repository.mjs';
import { isolationTable, tableHead, tableRow } from './table.mjs';
import { endProgress, green, print, red, showProgress } from './terminal.mjs';

/** @typedef {import('./expectation.mjs').Program} Program */
/** @typedef {import('./table.mjs').Row} Row */

const groups = [
  { title: 'Ordinary programs: the standard library at work on files of this repository', programs: ordinaryPrograms },
  { title: 'Hostile programs', programs: hostilePrograms },
];
const programCount = groups.reduce((sum, { programs }) => sum + programs.length, 0);

try {
  await main();
} catch (error) {
  if (!(error instanceof SandboxError)) throw error;
  endProgress();
  print(red(`${error.code}: ${error.message}`));
  process.exitCode = 1;
}

async function main() {
  const startedAt = performance.now();
  const sandbox = new Sandbox({ language: 'python', mounts, warm: 1 });
  try {
    showProgress('Starting the supervisor and the zygote');
    const isolation = await sandbox.ready();
    const rows = await runAll(sandbox);
    endProgress();
    for (const { title } of groups) {
      print(tableHead(title));
      for (const row of rows.get(title) ?? []) print(tableRow(row));
      print();
    }
    print(isolationTable(isolation));
    print();
    tellOutcome([...rows.values()].flat(), performance.now() - startedAt);
  } finally {
    await sandbox.close();
  }
}

/**
 * One after the other, so that none spoils what is measured of another.
 * @param {Sandbox} sandbox
 * @returns {Promise<Map<string, Row[]>>} by title
 */
async function runAll(sandbox) {
  /** @type {Map<string, Row[]>} */
  const rows = new Map();
  let count = 0;
  for (const { title, programs } of groups) {
    /** @type {Row[]} */
    const group = [];
    rows.set(title, group);
    for (const program of programs) {
      showProgress(`[${String(++count).padStart(2)}/${programCount}] ${program.name}`);
      group.push(await runOne(sandbox, program));
    }
  }
  return rows;
}

/**
 * @param {Sandbox} sandbox
 * @param {Program} program
 * @returns {Promise<Row>}
 */
async function runOne(sandbox, { name, code, stdin, limits, expect }) {
  const result = await sandbox.run(code, { ...(stdin === undefined ? {} : { stdin }), ...limits, encoding: 'buffer' });
  return { name, result, differences: differences(expect, result) };
}

/**
 * @param {readonly Row[]} rows
 * @param {number} ms
 */
function tellOutcome(rows, ms) {
  const good = rows.filter((row) => row.differences.length === 0).length;
  const text = `${good} of ${rows.length} programs ended as expected, in ${(ms / 1000).toFixed(1)} s.`;
  print(good === rows.length ? green(text) : red(text));
  if (good !== rows.length) process.exitCode = 1;
}
