import { runBare } from '../measure/bare.mjs';
import { openSandbox, runConfined } from '../measure/confined.mjs';
import { interleave, timed } from '../measure/interleave.mjs';
import { atMost, comparisonTable, find } from '../report/findings.mjs';

export const name = 'large-host';
export const title = 'From a large host';
export const about =
  "The same run from a Node process with 1 GB resident. Node's own `spawn` forks the host, and pays for the size of it; " +
  'the supervisor of a sandbox is started once.';

const CODE = 'print(1)';
const OUTPUT = '1\n';
const GB = 1e9;
/** As a program has it, many pieces rather than one: the allocator then takes its memory in ordinary, small pages. */
const PIECE_BYTES = 64 * 1024;

/** @param {import('../types.mjs').Context} context */
export async function measure({ executable, rounds, isSmoke }) {
  const ballast = fill(isSmoke ? GB / 100 : GB);
  const residentBytes = process.memoryUsage.rss();
  const sandbox = await openSandbox(executable, { concurrency: 1 });
  const summaries = await interleave(
    [
      { name: 'bare spawn', sample: timed(() => runBare([executable, '-c', CODE]), OUTPUT) },
      { name: 'pinfold, warm', sample: timed(() => runConfined(sandbox, CODE), OUTPUT) },
    ],
    { rounds: Math.ceil(rounds / 2) },
  );
  await sandbox.close();
  return {
    tables: [comparisonTable('Node to result', 'ms', summaries)],
    targets: [
      atMost('warm `print(1)` in a host of 1 GB, p50 against bare spawn', 0.03, find(summaries, 'pinfold, warm').ratio),
    ],
    notes: [`The host had ${Math.round(residentBytes / 1e6)} MB resident, in ${ballast.length} pieces.`],
  };
}

/** @param {number} bytes */
function fill(bytes) {
  return Array.from({ length: Math.ceil(bytes / PIECE_BYTES) }, (_, index) => Buffer.alloc(PIECE_BYTES, index % 251));
}
