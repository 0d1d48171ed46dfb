// libFuzzer over all that the supervisor decodes, under the address and undefined-behaviour sanitizers.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { VERSION } from '../../src/version.js';
import { sanitizerFlags, sourcesIn } from '../native/sources.js';
import { hasCommand, runCommand } from '../support/command.js';
import { skipMissing } from '../support/skip.js';
import { fuzzSeconds } from './seconds.js';
import { seeds } from './seeds.js';

vi.setConfig({ testTimeout: (fuzzSeconds + 60) * 1_000, hookTimeout: 180_000 });

/** One input takes microseconds; one that takes this long is a hang. */
const HANG_SECONDS = 10;
const MEMORY_MIB = 1_024;
/** Longer than the buffer that the supervisor reads small frames into. */
const LONGEST_BYTES = 160_000;

const directoryOfFuzzers = join(import.meta.dirname, 'native');
const names = readdirSync(directoryOfFuzzers)
  .filter((name) => name.endsWith('_fuzz.c'))
  .map((name) => name.replace('_fuzz.c', ''));
const clang = ['clang', 'clang-19', 'clang-16', 'clang-15', 'clang-14'].find(hasCommand);
let directory = '';
let canFuzz = false;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'pinfold-fuzz-'));
  canFuzz = clang !== undefined && hasRuntime(clang);
  if (clang === undefined || !canFuzz) return;
  // An archive: a fuzzer that brings its own version of a file is linked without ours.
  const sources = ['base', 'confine', 'supervisor'].flatMap(sourcesIn).filter((path) => !path.endsWith('/main.c'));
  const objects = sources.map((path) => join(directory, `${path.replaceAll('/', '-')}.o`));
  for (const [index, source] of sources.entries()) {
    const object = objects[index] as string;
    runCommand(clang, [...sanitizerFlags(VERSION), '-fsanitize=fuzzer-no-link', '-c', '-o', object, source]);
  }
  runCommand('ar', ['rcs', join(directory, 'all.a'), ...objects]);
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Debian has it in a package of its own. */
function hasRuntime(compiler: string): boolean {
  const source = join(directory, 'empty.c');
  writeFileSync(source, 'int LLVMFuzzerTestOneInput(const char *d, long s) { return d && s < 0; }\n');
  return spawnSync(compiler, ['-fsanitize=fuzzer,address', '-o', join(directory, 'empty'), source]).status === 0;
}

function build(compiler: string, name: string): string {
  const program = join(directory, name);
  const source = join(directoryOfFuzzers, `${name}_fuzz.c`);
  const flags = [...sanitizerFlags(VERSION), '-fsanitize=fuzzer'];
  runCommand(compiler, [...flags, '-o', program, source, join(directory, 'all.a')]);
  return program;
}

/** Throws with the input that did it, to be kept as a test. */
function fuzz(program: string): string {
  const corpus = `${program}-corpus`;
  const artifacts = `${program}-artifacts/`;
  for (const path of [corpus, artifacts]) mkdirSync(path);
  for (const [index, seed] of (seeds[basename(program)]?.() ?? []).entries()) {
    writeFileSync(join(corpus, `seed-${index}`), seed);
  }
  const limits = [`-max_total_time=${fuzzSeconds}`, `-timeout=${HANG_SECONDS}`, `-rss_limit_mb=${MEMORY_MIB}`];
  const options = [
    `-artifact_prefix=${artifacts}`,
    `-max_len=${LONGEST_BYTES}`,
    '-detect_leaks=0',
    '-print_final_stats=1',
  ];
  const { status, signal, stderr } = spawnSync(program, [...limits, ...options, corpus], {
    encoding: 'utf8',
    maxBuffer: 256 << 20,
  });
  if (status === 0) return stderr;
  const inputs = readdirSync(artifacts).map((file) => readFileSync(join(artifacts, file)).toString('base64'));
  throw new Error(`${basename(program)} ended with ${status ?? signal}; inputs: ${inputs}\n${stderr.slice(-20_000)}`);
}

test('each has seeds', () => {
  expect(names.toSorted()).toEqual(Object.keys(seeds).toSorted());
});

for (const name of names) {
  test(`${name}, for ${fuzzSeconds} seconds`, (context) => {
    if (clang === undefined || !canFuzz) return skipMissing(context, 'no clang with libFuzzer');
    const said = fuzz(build(clang, name));
    const inputs = Number(/stat::number_of_executed_units: (\d+)/.exec(said)?.[1]);
    expect(inputs).toBeGreaterThan(100);
  });
}
