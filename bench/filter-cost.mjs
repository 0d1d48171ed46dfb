// What the system-call filter alone costs, in one interleaved run with and without it.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'tsup';

const root = join(import.meta.dirname, '..');
const MAX_PERCENT = 5;

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

const python = (script) => ['--', 'python3', '-I', '-c', script];

/** `isJudged`: what the promise of at most 5% is about. A raw getpid is the worst there can be: it does nothing but enter the kernel. */
const WORKLOADS = [
  { name: 'getpid (C; the raw cost of a call)', args: ['getpid', '1000000'] },
  { name: 'stat (C)', args: ['stat', '200000'] },
  { name: 'open, read, close (C)', args: ['read', '100000'] },
  { name: 'compute (C)', args: ['compute', '100000'] },
  { name: 'write, stat and read files (Python)', args: python(PYTHON_FILES), isJudged: true },
  { name: 'compute (Python)', args: python(PYTHON_SUM) },
];

/** The filter of a sandbox without options. The package does not export it, so it is bundled from its source. */
async function makeFilter(directory) {
  const entry = join(directory, 'entry.ts');
  const source = (name) => JSON.stringify(join(root, 'src/policy', name));
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

function compile(directory) {
  const program = join(directory, 'filter-cost');
  const { status, error } = spawnSync(
    process.env.CC ?? 'gcc',
    ['-O2', '-o', program, join(root, 'bench/filter-cost.c')],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  if (error) return undefined;
  if (status !== 0) throw new Error('filter-cost.c does not compile');
  return program;
}

/**
 * Nanoseconds of one repetition, without the filter and with it, in turns, and what it adds as a percentage. Undefined where
 * there is no gcc.
 */
export async function measureFilterCost(rounds) {
  const directory = mkdtempSync(join(tmpdir(), 'pinfold-bench-'));
  try {
    const program = compile(directory);
    if (program === undefined) return undefined;
    const filter = await makeFilter(directory);
    const once = (given, args) =>
      Number(
        execFileSync(program, [given, ...args], { encoding: 'utf8', env: { ...process.env, SCRATCH: directory } }),
      );
    const samples = WORKLOADS.map(() => []);
    for (let round = 0; round < rounds; round += 1) {
      for (const [index, { args }] of WORKLOADS.entries()) {
        // In turns: what comes second finds the caches warmer.
        const [first, second] = round % 2 ? [filter, '-'] : ['-', filter];
        const took = { [first]: once(first, args), [second]: once(second, args) };
        samples[index].push({ withoutNs: took['-'], withNs: took[filter] });
      }
    }
    return WORKLOADS.map(({ name, isJudged = false }, index) => {
      // The fastest of all: a neighbour on the machine can only add, and adds more than the filter does.
      const fastest = (key) => Math.min(...samples[index].map((sample) => sample[key]));
      const [withoutNs, withNs] = [fastest('withoutNs'), fastest('withNs')];
      return { name, isJudged, withoutNs, withNs, addedPercent: (withNs / withoutNs - 1) * 100 };
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

export function printFilterCost(results) {
  console.log(
    `\n${'the filter alone'.padEnd(38)}${'without'.padStart(12)}${'with'.padStart(12)}${'added'.padStart(9)}`,
  );
  if (!results) console.log('not measured: there is no gcc');
  for (const { name, isJudged, withoutNs, withNs, addedPercent } of results ?? []) {
    const times = [withoutNs, withNs].map((ns) => `${ns.toFixed(0)} ns`.padStart(12)).join('');
    const judgement = isJudged
      ? `  (at most ${MAX_PERCENT} %: ${addedPercent <= MAX_PERCENT ? 'kept' : 'NOT KEPT'})`
      : '';
    console.log(name.padEnd(38) + times + `${addedPercent.toFixed(1)} %`.padStart(9) + judgement);
  }
}
