import { runBare } from '../measure/bare.mjs';
import { openSandbox, runConfined } from '../measure/confined.mjs';
import { assertOutput, interleave } from '../measure/interleave.mjs';
import { openPeers } from '../measure/peers.mjs';
import { atLeast, find } from '../report/findings.mjs';

export const name = 'throughput';
export const title = 'Throughput';
export const about =
  'Runs of `print(1)` a second, with so many at once, sustained: each sample keeps that many under way for a time and ' +
  'counts what came to its end. Medians.';

const CODE = 'print(1)';
const OURS = 'pinfold';
const JUDGED_AT = 8;

/** @param {import('../types.mjs').Context} context */
export async function measure({ executable, rounds, isSmoke, scratch, say }) {
  const widths = isSmoke ? [1, 8] : [1, 2, 4, 8, 16];
  const spanMs = isSmoke ? 50 : 1_000;
  const { peers, missing, close } = await openPeers(executable, scratch);
  const found = [];
  for (const width of widths) {
    say(`${width} at once`);
    const sandbox = await openSandbox(executable, { concurrency: width });
    const runs = [
      { name: 'bare spawn', run: () => runBare([executable, '-c', CODE]) },
      ...peers.map((peer) => ({ name: peer.name, run: () => peer.run(CODE) })),
      { name: OURS, run: () => runConfined(sandbox, CODE) },
    ];
    const rows = runs.map((row) => ({ name: row.name, sample: () => runsPerSecond(row.run, width, spanMs) }));
    found.push({ width, summaries: await interleave(rows, { rounds: Math.ceil(rounds / 20), warmUps: 0 }) });
    await sandbox.close();
  }
  await close();

  const judged = found.find(({ width }) => width === JUDGED_AT)?.summaries ?? [];
  const ours = find(judged, OURS).p50;
  const bubblewrap = judged.find((row) => row.name === 'bubblewrap');
  return {
    tables: [table(found)],
    pictures: [picture(found)],
    targets: [
      atLeast(`throughput at concurrency ${JUDGED_AT}, against bare spawn`, 8, ours / find(judged, 'bare spawn').p50),
      atLeast(
        `throughput at concurrency ${JUDGED_AT}, against bubblewrap`,
        12,
        bubblewrap ? ours / bubblewrap.p50 : null,
      ),
    ],
    notes: missing.map((line) => `Left out: ${line}.`),
  };
}

/**
 * @param {() => Promise<string>} run
 * @param {number} width
 * @param {number} spanMs
 */
async function runsPerSecond(run, width, spanMs) {
  const startedMs = performance.now();
  let count = 0;
  const work = async () => {
    while (performance.now() - startedMs < spanMs) {
      assertOutput(await run(), '1\n');
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: width }, work));
  return (count * 1_000) / (performance.now() - startedMs);
}

/**
 * @typedef {{ width: number, summaries: import('../types.mjs').Summary[] }} AtWidth
 * @param {AtWidth[]} found
 */
function table(found) {
  const names = found[0]?.summaries.map((row) => row.name) ?? [];
  return {
    title: 'Runs a second, by runs at once',
    columns: [{ heading: 'row' }, ...found.map(({ width }) => ({ heading: `${width}`, digits: 0 }))],
    rows: names.map((row) => [row, ...found.map(({ summaries }) => find(summaries, row).p50)]),
  };
}

/**
 * @param {AtWidth[]} found
 * @returns {import('../types.mjs').Picture}
 */
function picture(found) {
  const names = found[0]?.summaries.map((row) => row.name) ?? [];
  const lines = names.map((row) => ({
    name: row,
    values: found.map(({ summaries }) => find(summaries, row).p50),
    isOurs: row === OURS,
  }));
  const ticks = found.map(({ width }) => `${width}`);
  return {
    type: 'lines',
    file: 'throughput',
    title: 'Throughput',
    unit: 'runs/s',
    across: 'runs at once',
    ticks,
    lines,
  };
}
