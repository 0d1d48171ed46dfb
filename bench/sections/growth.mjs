import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { runBare } from '../measure/bare.mjs';
import { openSandbox, runConfined } from '../measure/confined.mjs';
import { assertOutput, interleave, timed } from '../measure/interleave.mjs';
import { median } from '../measure/statistics.mjs';
import { atMost, find } from '../report/findings.mjs';

export const name = 'growth';
export const title = 'As work grows';
export const about =
  'So many runs of `print(1)` are queued at once, on one sandbox with its default concurrency: time from the first call to ' +
  'the last result, for each, and what the Node process holds for each run that waits. Then code of growing size (lines of ' +
  'comment, and `print(1)` at the end) against a bare `python3 main.py` of the same code.';

const KB = 1_000;
const MB = 1_000 * KB;

/** @param {import('../types.mjs').Context} context */
export async function measure(context) {
  const queues = await measureQueues(context);
  const codes = await measureCodes(context);
  const timesMs = queues.map(({ eachMs }) => eachMs);
  return {
    tables: [queueTable(queues), codeTable(codes)],
    pictures: [picture(queues)],
    targets: [
      atMost(
        'time per queued run, the slowest size against the fastest',
        1.2,
        Math.max(...timesMs) / Math.min(...timesMs),
      ),
    ],
    notes: ['Files given to a run are not measured: they are not available in this version.'],
  };
}

/** @param {import('../types.mjs').Context} context */
async function measureQueues({ executable, isSmoke, rounds, say }) {
  const sizes = isSmoke ? [10, 100] : [10, 100, 1_000, 10_000, 100_000];
  const sandbox = await openSandbox(executable);
  await queue(sandbox, 20);
  const found = [];
  for (const size of sizes) {
    say(`${size} queued`);
    const samples = [];
    // As many samples of a small queue as take the time of 1,000 runs, so that they are no more a matter of luck.
    const repeats = Math.max(1, Math.min(rounds, Math.floor(1_000 / size)));
    for (let repeat = 0; repeat < repeats; repeat += 1) samples.push(await queue(sandbox, size));
    found.push({
      size,
      repeats,
      eachMs: median(samples.map(({ tookMs }) => tookMs)) / size,
      heldBytes: median(samples.map(({ heldBytes }) => heldBytes)) / size,
    });
  }
  await sandbox.close();
  return found;
}

/**
 * @param {import('pinfold').Sandbox} sandbox
 * @param {number} size
 */
async function queue(sandbox, size) {
  const before = heldBytes();
  const startedMs = performance.now();
  let isOver = () => {};
  const over = new Promise((resolve, reject) => {
    let left = size;
    isOver = () => {
      left -= 1;
      if (left === 0) resolve(undefined);
    };
    for (let index = 0; index < size; index += 1) runConfined(sandbox, 'print(1)').then(checked, reject);
  });
  /** @param {string} output */
  function checked(output) {
    assertOutput(output, '1\n');
    isOver();
  }
  const queuedMs = performance.now();
  const held = heldBytes() - before;
  const collectingMs = performance.now() - queuedMs;
  await over;
  return { tookMs: performance.now() - startedMs - collectingMs, heldBytes: held };
}

/** What is in use after everything that could be was let go. */
function heldBytes() {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** @type {() => void} */
const collectGarbage = (() => {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc');
})();

/** @param {import('../types.mjs').Context} context */
async function measureCodes({ executable, isSmoke, rounds, scratch, say }) {
  const sizes = isSmoke ? [KB] : [KB, 10 * KB, 100 * KB, MB, 10 * MB, 50 * MB];
  const sandbox = await openSandbox(executable, { concurrency: 1, limits: { memoryBytes: '2GiB', wallMs: 120_000 } });
  const found = [];
  for (const size of sizes) {
    say(`code of ${sizeText(size)}`);
    const code = Buffer.from(codeOf(size));
    const file = join(scratch, 'main.py');
    writeFileSync(file, code);
    const summaries = await interleave(
      [
        { name: 'bare', sample: timed(() => runBare([executable, file]), '1\n') },
        { name: 'pinfold', sample: timed(() => runConfined(sandbox, code), '1\n') },
      ],
      { rounds: Math.ceil(rounds / (size >= MB ? 16 : 4)) },
    );
    found.push({ size, summaries });
  }
  await sandbox.close();
  return found;
}

/** @param {number} size */
function codeOf(size) {
  const end = 'print(1)\n';
  const line = `#${'-'.repeat(78)}\n`;
  const comment = line.repeat(Math.ceil(size / line.length)).slice(0, size - end.length - 1);
  return `${comment}\n${end}`;
}

/** @param {number} bytes */
function sizeText(bytes) {
  return bytes >= MB ? `${bytes / MB} MB` : `${bytes / KB} kB`;
}

/** @param {Awaited<ReturnType<typeof measureQueues>>} queues */
function queueTable(queues) {
  return {
    title: 'Runs queued at once',
    columns: [
      { heading: 'runs' },
      { heading: 'ms each', digits: 3 },
      { heading: 'held for each that waits, bytes', digits: 0 },
      { heading: 'samples', digits: 0 },
    ],
    rows: queues.map(({ size, eachMs, heldBytes, repeats }) => [
      size.toLocaleString('en'),
      eachMs,
      // Of few runs it tells more about the rest of the process.
      size < 1_000 ? null : heldBytes,
      repeats,
    ]),
  };
}

/** @param {Awaited<ReturnType<typeof measureCodes>>} codes */
function codeTable(codes) {
  return {
    title: 'Size of the code',
    columns: [
      { heading: 'code' },
      { heading: 'bare, p50 ms' },
      { heading: 'pinfold, p50 ms' },
      { heading: 'ratio', digits: 3 },
    ],
    rows: codes.map(({ size, summaries }) => {
      const ours = find(summaries, 'pinfold');
      return [sizeText(size), find(summaries, 'bare').p50, ours.p50, ours.ratio];
    }),
  };
}

/**
 * @param {Awaited<ReturnType<typeof measureQueues>>} queues
 * @returns {import('../types.mjs').Picture}
 */
function picture(queues) {
  return {
    type: 'lines',
    file: 'queue',
    title: 'Time per run, by runs queued at once',
    unit: 'ms',
    across: 'runs queued',
    ticks: queues.map(({ size }) => size.toLocaleString('en')),
    lines: [{ name: 'pinfold', values: queues.map(({ eachMs }) => eachMs), isOurs: true }],
  };
}
