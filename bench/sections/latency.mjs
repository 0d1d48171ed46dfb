import { runBare } from '../measure/bare.mjs';
import { openSandbox, runConfined } from '../measure/confined.mjs';
import { interleave, timed } from '../measure/interleave.mjs';
import { openPeers } from '../measure/peers.mjs';
import { atMost, comparisonTable, find } from '../report/findings.mjs';

export const name = 'latency';
export const title = 'One run';
export const about =
  'Milliseconds from the call in Node to the result of `print(1)`: all output read, the process reaped. Both ratios are ' +
  'against the median of the first row. A *warm* run finds a spare parked; one *straight after another* may have to wait ' +
  'for it. The first run of a new process includes importing this package.';

const CODE = 'print(1)';
const OUTPUT = '1\n';
const FIRST_RUN = new URL('../programs/first-run.mjs', import.meta.url).pathname;

/** @param {import('../types.mjs').Context} context */
export async function measure({ executable, rounds, scratch }) {
  const { peers, missing, close } = await openPeers(executable, scratch);
  const options = { concurrency: 1 };
  const warm = await openSandbox(executable, options);
  const rows = [
    { name: 'bare spawn', sample: timed(() => runBare([executable, '-c', CODE]), OUTPUT) },
    { name: 'bare spawn, -I -S', sample: timed(() => runBare([executable, '-I', '-S', '-c', CODE]), OUTPUT) },
    ...peers.map((peer) => ({ name: peer.name, sample: timed(() => peer.run(CODE), OUTPUT) })),
    { name: 'pinfold, first run of a new process', sample: () => firstOfProcess(executable) },
    { name: 'pinfold, first run of a new sandbox', sample: () => firstOfSandbox(executable, options) },
    { name: 'pinfold, warm', sample: timed(() => runConfined(warm, CODE), OUTPUT) },
    { name: 'pinfold, warm, straight after another', sample: () => second(warm) },
  ];
  const summaries = await interleave(rows, { rounds });
  await warm.close();
  await close();

  const quick = find(summaries, 'pinfold, warm');
  return {
    tables: [comparisonTable('Node to result', 'ms', summaries), peerTable(peers)],
    pictures: [picture(summaries)],
    targets: [
      atMost('warm `print(1)`, p50 against bare spawn', 0.07, quick.ratio),
      atMost('warm `print(1)`, p95 against bare spawn', 0.15, quick.p95Ratio),
      atMost(
        'first result of a new sandbox against one bare spawn',
        3,
        find(summaries, 'pinfold, first run of a new sandbox').ratio,
      ),
    ],
    notes: missing.map((line) => `Left out: ${line}.`),
  };
}

/**
 * Closing is not part of the first result.
 * @param {string} executable
 * @param {import('pinfold').SandboxOptions} options
 */
async function firstOfSandbox(executable, options) {
  const { Sandbox } = await import('pinfold');
  const sandbox = new Sandbox({ language: 'python', executable, ...options });
  const tookMs = await timed(() => runConfined(sandbox, CODE), OUTPUT)();
  await sandbox.close();
  return tookMs;
}

/** @param {string} executable */
async function firstOfProcess(executable) {
  return Number(await runBare([process.execPath, FIRST_RUN, executable]));
}

/** @param {import('pinfold').Sandbox} sandbox */
async function second(sandbox) {
  await runConfined(sandbox, CODE);
  return timed(() => runConfined(sandbox, CODE), OUTPUT)();
}

/** @param {readonly import('../measure/peers.mjs').Peer[]} peers */
function peerTable(peers) {
  return {
    title: 'What each of the others confines, as it is called here',
    columns: [{ heading: 'sandbox' }, { heading: 'version' }, { heading: 'confines' }],
    rows: peers.map((peer) => [peer.name, peer.version, peer.confines]),
  };
}

/**
 * @param {readonly import('../types.mjs').Summary[]} summaries
 * @returns {import('../types.mjs').Picture}
 */
function picture(summaries) {
  const bars = summaries.map((row) => ({ name: row.name, value: row.ratio, isOurs: row.name.startsWith('pinfold') }));
  return { type: 'bars', file: 'latency', title: 'One run of print(1), Node to result', unit: '× bare spawn', bars };
}
