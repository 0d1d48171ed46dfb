import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { openSandbox } from '../measure/confined.mjs';
import { assertOutput, interleave } from '../measure/interleave.mjs';
import { atLeast, find } from '../report/findings.mjs';

export const name = 'streams';
export const title = 'Output and input';
export const about =
  'Bytes through stdout to a listener in Node, and from a stream in Node through stdin, against a bare process and its ' +
  'pipes. Output is timed from its first piece to the result, so that what starting costs on either side is left out; input ' +
  'from the call to the result. The confined run also keeps the output for its result (`outputBytes` allows it); a bare pipe ' +
  'keeps nothing.';

const KB = 1_000;
const MB = 1_000 * KB;
const GB = 1_000 * MB;
const PIECE_BYTES = 64 * 1024;
const WRITER = `
import os, sys
left = int(sys.argv[1])
piece = b'x' * ${PIECE_BYTES}
while left > 0:
    left -= os.write(1, piece[:left])
`;
const READER = `
import os
count = 0
while piece := os.read(0, ${PIECE_BYTES}):
    count += len(piece)
print(count)
`;
const LIMITS = { wallMs: 600_000 };
/** As a string, which is the default, no output could be this large. */
const LARGE_OUTPUT = /** @type {const} */ ({ encoding: 'buffer', outputBytes: '1GiB' });

/** @param {import('../types.mjs').Context} context */
export async function measure({ executable, isSmoke, rounds, say }) {
  const sizes = isSmoke ? [KB, MB] : [KB, MB, 100 * MB, GB];
  const sandbox = await openSandbox(executable, { concurrency: 1, limits: LIMITS });
  const outputs = [];
  const inputs = [];
  for (const size of sizes) {
    const options = { rounds: Math.ceil(rounds / (size >= 100 * MB ? 20 : 4)) };
    say(`${sizeText(size)} of output`);
    outputs.push({ size, summaries: await interleave(outputRows(executable, sandbox, size), options) });
    say(`${sizeText(size)} of input`);
    inputs.push({ size, summaries: await interleave(inputRows(executable, sandbox, size), options) });
  }
  await sandbox.close();
  const largest = outputs.find(({ size }) => size === GB);
  const rate = largest ? 1 / find(largest.summaries, 'onStdout').ratio : null;
  return {
    tables: [table('Output', outputs), table('Input', inputs)],
    pictures: [picture(outputs, inputs)],
    targets: [atLeast('rate of 1 GB through stdout, against a bare pipe', 0.8, rate)],
  };
}

/**
 * @param {string} executable
 * @param {import('pinfold').Sandbox} sandbox
 * @param {number} size
 */
function outputRows(executable, sandbox, size) {
  return [
    { name: 'bare', sample: () => outputOfBare(executable, size) },
    { name: 'onStdout', sample: () => outputToListener(sandbox, size) },
    { name: 'run.stdout', sample: () => outputToStream(sandbox, size) },
  ];
}

/**
 * @param {string} executable
 * @param {import('pinfold').Sandbox} sandbox
 * @param {number} size
 */
function inputRows(executable, sandbox, size) {
  return [
    { name: 'bare', sample: () => inputOfBare(executable, size) },
    { name: 'stdin', sample: () => inputOfRun(sandbox, size) },
  ];
}

/**
 * @param {string} executable
 * @param {number} size
 */
async function outputOfBare(executable, size) {
  const child = spawn(executable, ['-c', WRITER, `${size}`], { stdio: ['ignore', 'pipe', 'inherit'] });
  const meter = new Meter(size);
  child.stdout.on('data', (chunk) => meter.add(chunk));
  await once(child, 'close');
  return meter.finish();
}

/**
 * @param {import('pinfold').Sandbox} sandbox
 * @param {number} size
 */
async function outputToListener(sandbox, size) {
  const meter = new Meter(size);
  await sandbox.run(WRITER, { ...LARGE_OUTPUT, args: [`${size}`], onStdout: (chunk) => meter.add(chunk) });
  return meter.finish();
}

/**
 * @param {import('pinfold').Sandbox} sandbox
 * @param {number} size
 */
async function outputToStream(sandbox, size) {
  const meter = new Meter(size);
  const run = sandbox.run(WRITER, { ...LARGE_OUTPUT, args: [`${size}`] });
  for await (const chunk of run.stdout) meter.add(chunk);
  await run;
  return meter.finish();
}

/** Counts what comes, from its first piece on. */
class Meter {
  #expected;
  #count = 0;
  #startedMs = 0;

  /** @param {number} expected */
  constructor(expected) {
    this.#expected = expected;
  }

  /** @param {Uint8Array} chunk */
  add(chunk) {
    if (this.#count === 0) this.#startedMs = performance.now();
    this.#count += chunk.byteLength;
  }

  finish() {
    assertOutput(`${this.#count}`, `${this.#expected}`);
    return performance.now() - this.#startedMs;
  }
}

/**
 * @param {string} executable
 * @param {number} size
 */
async function inputOfBare(executable, size) {
  const startedMs = performance.now();
  const child = spawn(executable, ['-c', READER], { stdio: ['pipe', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  source(size).pipe(child.stdin);
  await once(child, 'close');
  assertOutput(output, `${size}\n`);
  return performance.now() - startedMs;
}

/**
 * @param {import('pinfold').Sandbox} sandbox
 * @param {number} size
 */
async function inputOfRun(sandbox, size) {
  const startedMs = performance.now();
  const { stdout } = await sandbox.run(READER, { stdin: source(size) });
  assertOutput(stdout, `${size}\n`);
  return performance.now() - startedMs;
}

/** @param {number} size */
function source(size) {
  const piece = Buffer.alloc(PIECE_BYTES, 'x');
  let left = size;
  return new Readable({
    highWaterMark: PIECE_BYTES,
    read() {
      const chunk = left > 0 ? piece.subarray(0, left) : null;
      left -= chunk?.byteLength ?? 0;
      this.push(chunk);
    },
  });
}

/** @typedef {{ size: number, summaries: import('../types.mjs').Summary[] }} OfSize */

/**
 * @param {string} title
 * @param {OfSize[]} found
 * @returns {import('../types.mjs').Table}
 */
function table(title, found) {
  const names = found[0]?.summaries.map((row) => row.name) ?? [];
  return {
    title,
    columns: [
      { heading: 'bytes' },
      ...names.map((row) => ({ heading: `${row}, p50 ms` })),
      ...names.map((row) => ({ heading: `${row}, MB/s`, digits: 0 })),
    ],
    rows: found.map(({ size, summaries }) => [
      sizeText(size),
      ...summaries.map((row) => row.p50),
      ...summaries.map((row) => megabytesPerSecond(size, row)),
    ]),
  };
}

/**
 * @param {number} size
 * @param {import('../types.mjs').Summary} row
 */
function megabytesPerSecond(size, { p50 }) {
  return size / MB / (p50 / 1_000);
}

/**
 * @param {OfSize[]} outputs
 * @param {OfSize[]} inputs
 * @returns {import('../types.mjs').Picture}
 */
function picture(outputs, inputs) {
  const bars = [outputs.at(-1), inputs.at(-1)].flatMap((found, index) =>
    (found?.summaries ?? []).map((row) => ({
      name: `${index === 0 ? 'stdout' : 'stdin'}: ${row.name === 'bare' ? 'bare pipe' : `pinfold, ${row.name}`}`,
      value: megabytesPerSecond(found?.size ?? 0, row),
      isOurs: row.name !== 'bare',
    })),
  );
  const title = `${sizeText(outputs.at(-1)?.size ?? 0)} through stdout and through stdin`;
  return { type: 'bars', file: 'streams', title, unit: 'MB/s', bars };
}

/** @param {number} bytes */
function sizeText(bytes) {
  if (bytes >= GB) return `${bytes / GB} GB`;
  return bytes >= MB ? `${bytes / MB} MB` : `${bytes / KB} kB`;
}
