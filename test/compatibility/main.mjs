// Runs CPython's own regression tests module by module, unconfined and confined, and tells what passes only unconfined.
//   npm run compatibility [-- --full] [--executable=PATH] [--wall-seconds=N] [--json=FILE] [--keep=DIRECTORY] [MODULE...]
// Ends with 1 where something differs that differences.mjs has no reason for, or where less than 95 % of all pass.
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, release } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compareModule } from './compare.mjs';
import { differences } from './differences.mjs';
import { openConfined, ordinaryUser, runProgram } from './sides.mjs';
import { subset } from './subset.mjs';

/** @typedef {import('./compare.mjs').Row} Row */

const LISTING_MS = 60_000;
const SHARE_THAT_PASSES = 0.95;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    executable: { type: 'string', default: '/usr/bin/python3' },
    full: { type: 'boolean', default: false },
    'wall-seconds': { type: 'string', default: '300' },
    json: { type: 'string' },
    keep: { type: 'string' },
  },
});
const { executable } = values;
const wallMs = Math.round(Number(values['wall-seconds']) * 1000);
const keptIn = values.keep;
if (keptIn !== undefined) mkdirSync(keptIn, { recursive: true });

/** What the interpreter's test package has. */
async function listModules() {
  const { exitCode, output } = await runProgram([executable, '-m', 'test', '--list-tests'], { wallMs: LISTING_MS });
  if (exitCode === 0) return output.trim().split('\n');
  throw new Error(`${executable} has no test package (on Debian it is in libpython3.11-testsuite): ${output.trim()}`);
}

async function chooseModules() {
  const all = await listModules();
  if (values.full) return all;
  const wanted = positionals.length > 0 ? positionals : subset;
  const missing = positionals.filter((module) => !all.includes(module));
  if (missing.length > 0) throw new Error(`${executable} has no ${missing.join(', ')}`);
  return all.filter((module) => wanted.includes(module));
}

/** @param {string} side @param {string} module @param {string} output */
function keep(side, module, output) {
  if (keptIn !== undefined) writeFileSync(join(keptIn, `${module}.${side}`), output);
}

/** @param {readonly string[]} modules @returns {Promise<Row[]>} */
async function compareAll(modules) {
  const confined = openConfined(executable);
  const queue = [...modules];
  /** @type {Row[]} */
  const rows = [];
  const lane = async () => {
    for (let module = queue.shift(); module !== undefined; module = queue.shift()) {
      const row = await compareModule(executable, module, { wallMs, confined, keep });
      rows.push(row);
      if (row.kind !== 'same') print(row);
    }
  };
  try {
    await Promise.all(Array.from({ length: availableParallelism() }, lane));
  } finally {
    await confined.close();
  }
  return rows.sort((a, b) => a.module.localeCompare(b.module));
}

/** @param {Row} row */
function print({ module, kind, why }) {
  const known = kind === 'different' ? (differences[module] ?? 'NO REASON KNOWN') : '';
  console.log(`${module.padEnd(32)} ${kind.padEnd(10)} ${known}`.trimEnd());
  for (const reason of why) console.log(`    ${reason}`);
}

/** @param {readonly Row[]} rows @param {'unconfined' | 'confined'} side @param {'ran' | 'skipped'} what */
const sum = (rows, side, what) => rows.reduce((total, row) => total + (row[side]?.[what] ?? 0), 0);

/** @param {readonly Row[]} rows */
function summarise(rows) {
  const of = (/** @type {Row['kind']} */ kind) => rows.filter((row) => row.kind === kind);
  const [same, network, different] = [of('same'), of('network'), of('different')];
  const share = same.length / (same.length + different.length);
  const passed = rows.length - of('unusable').length;
  const test = (/** @type {'unconfined' | 'confined'} */ side) =>
    `${sum(same, side, 'ran')} (${sum(same, side, 'skipped')} of them skipped)`;
  console.log(`
${rows.length} modules, ${passed} of them pass unconfined
  ${network.length} of these need a network
  ${same.length} of the other ${same.length + different.length} pass confined: ${(100 * share).toFixed(1)} %
tests run in these ${same.length}: unconfined ${test('unconfined')}, confined ${test('confined')}`);
  const unexplained = different.filter(({ module }) => differences[module] === undefined);
  for (const { module } of unexplained) console.log(`differs without a reason in differences.mjs: ${module}`);
  // The subset is of modules that something could be refused to, so its share says nothing.
  return unexplained.length === 0 && (share >= SHARE_THAT_PASSES || !values.full);
}

const version = await runProgram([executable, '--version'], { wallMs: LISTING_MS });
const { uid = process.getuid?.() } = ordinaryUser(executable);
console.log(`${version.output.trim()} (${executable}) on Linux ${release()}, unconfined as uid ${uid}\n`);
const startedMs = performance.now();
const rows = await compareAll(await chooseModules());
if (values.json) writeFileSync(values.json, `${JSON.stringify(rows, null, 2)}\n`);
process.exitCode = summarise(rows) ? 0 : 1;
console.log(`took ${Math.round((performance.now() - startedMs) / 1000)} s`);
