import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'tsup';
import { atMost } from '../report/findings.mjs';

export const name = 'filter';
export const title = 'The system-call filter alone';
export const about =
  'The same program with and without the filter of a sandbox, in turns, and nothing else of a sandbox. It times itself. The ' +
  'fastest of all rounds counts: a neighbour on the machine can only add. A raw `getpid` is the worst there can be, since it does ' +
  'nothing but enter the kernel; the target is about a program as people write it, most of whose time goes into system calls.';

const root = join(import.meta.dirname, '../..');
const MAX_RATIO = 1.05;

/** A program as people write it, most of whose time goes into system calls. It times itself: starting Python is no part of it. */
const PYTHON_FILES = `
import os, time
os.chdir(os.environ['SCRATCH'])
def work():
  for index in range(1000):
    name = f'file{index % 50}'
    with open(name, 'w') as file: file.write('some text')
    os.stat(name)
    with open(name) as file: file.read()
    os.listdir('.') if index % 50 == 0 else None
work()
started = time.perf_counter_ns()
work()
print((time.perf_counter_ns() - started) / 1000)
`;
const PYTHON_SUM = `
import time
started = time.perf_counter_ns()
sum(index * index for index in range(1_000_000))
print(time.perf_counter_ns() - started)
`;

/**
 * @param {string} executable
 * @param {string} script
 */
const python = (executable, script) => ['--', executable, '-I', '-c', script];

const JUDGED = 'write, stat and read files (Python)';

/** @param {string} executable */
const workloads = (executable) => [
  { name: 'getpid (C; the raw cost of a call)', args: ['getpid', '1000000'] },
  { name: 'stat (C)', args: ['stat', '200000'] },
  { name: 'open, read, close (C)', args: ['read', '100000'] },
  { name: 'compute (C)', args: ['compute', '100000'] },
  { name: JUDGED, args: python(executable, PYTHON_FILES) },
  { name: 'compute (Python)', args: python(executable, PYTHON_SUM) },
];

/**
 * The filter of a sandbox without options. The package does not export it, so it is bundled from its source.
 * @param {string} directory
 */
async function makeFilter(directory) {
  const entry = join(directory, 'entry.ts');
  const source = (/** @type {string} */ name) => JSON.stringify(join(root, 'src/policy', name));
  writeFileSync(
    entry,
    `export { compileFilter } from ${source('filter.ts')};\nexport { buildPolicy } from ${source('policy.ts')};\n`,
  );
  const outDir = join(directory, 'bundle');
  await build({
    entry: [entry],
    outDir,
    format: 'esm',
    silent: true,
    config: false,
    outExtension: () => ({ js: '.mjs' }),
  });
  const { buildPolicy, compileFilter } = await import(join(outDir, 'entry.mjs'));
  const file = join(directory, 'filter');
  writeFileSync(file, compileFilter(buildPolicy({ network: false, allow: [], deny: [] }), process.arch));
  return file;
}

/** @param {string} directory */
function compile(directory) {
  const program = join(directory, 'filter-cost');
  const { status, error } = spawnSync(
    process.env.CC ?? 'gcc',
    ['-O2', '-o', program, join(root, 'bench/programs/filter-cost.c')],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  if (error) return undefined;
  if (status !== 0) throw new Error('filter-cost.c does not compile');
  return program;
}

/** @param {import('../types.mjs').Context} context */
export async function measure({ executable, rounds, isSmoke, scratch }) {
  const program = compile(scratch);
  if (program === undefined) return { tables: [], notes: ['Not measured: there is no gcc.'] };
  const filter = await makeFilter(scratch);
  const env = { ...process.env, SCRATCH: scratch };
  const once = (/** @type {string} */ given, /** @type {string[]} */ args) =>
    Number(execFileSync(program, [given, ...args], { encoding: 'utf8', env }));
  const found = workloads(executable).map(({ name, args }) => ({ name, args, without: Infinity, filtered: Infinity }));
  for (let round = 0; round < (isSmoke ? 1 : Math.ceil(rounds / 5)); round += 1) {
    for (const workload of found) {
      const { args } = workload;
      // In turns: what comes second finds the caches warmer.
      if (round % 2 === 0) workload.without = Math.min(workload.without, once('-', args));
      workload.filtered = Math.min(workload.filtered, once(filter, args));
      if (round % 2 === 1) workload.without = Math.min(workload.without, once('-', args));
    }
  }
  const judged = found.find(({ name }) => name === JUDGED);
  return {
    tables: [
      {
        title: 'One repetition',
        columns: [
          { heading: 'program' },
          { heading: 'without, ns', digits: 0 },
          { heading: 'with, ns', digits: 0 },
          { heading: 'ratio', digits: 3 },
        ],
        rows: found.map(({ name, without, filtered }) => [name, without, filtered, filtered / without]),
      },
    ],
    targets: [
      atMost(
        'system-call-heavy Python under the filter against without',
        MAX_RATIO,
        judged ? judged.filtered / judged.without : null,
      ),
    ],
  };
}
