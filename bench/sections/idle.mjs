import { setTimeout as delay } from 'node:timers/promises';
import { openSandbox, runConfined } from '../measure/confined.mjs';
import { assertOutput } from '../measure/interleave.mjs';
import { cpuNanoseconds, cpuTicks, onlySupervisor, treeOf } from '../measure/processes.mjs';
import { atMost } from '../report/findings.mjs';

export const name = 'idle';
export const title = 'At rest';
export const about =
  'CPU that all processes of a warm sandbox (supervisor, zygote, spares) use together while nothing runs: ticks of a ' +
  'hundredth of a second, and what the scheduler counted.';

/** Until the spare after the last run is made. */
const SETTLE_MS = 1_000;

/** @param {import('../types.mjs').Context} context */
export async function measure({ executable, isSmoke }) {
  const spanMs = isSmoke ? 200 : 10_000;
  const sandbox = await openSandbox(executable);
  assertOutput(await runConfined(sandbox, 'print(1)'), '1\n');
  await delay(SETTLE_MS);

  const pids = treeOf(onlySupervisor());
  const before = { ticks: cpuTicks(pids), ns: cpuNanoseconds(pids) };
  await delay(spanMs);
  const ticks = cpuTicks(pids) - before.ticks;
  const microseconds = (cpuNanoseconds(pids) - before.ns) / 1_000;
  await sandbox.close();
  return {
    tables: [
      {
        title: `Over ${spanMs / 1_000} s`,
        columns: [
          { heading: 'processes', digits: 0 },
          { heading: 'ticks', digits: 0 },
          { heading: 'CPU µs', digits: 0 },
        ],
        rows: [[pids.length, ticks, microseconds]],
      },
    ],
    targets: [atMost(`CPU of an idle warm sandbox over ${spanMs / 1_000} s`, 0, ticks, 'ticks')],
  };
}
