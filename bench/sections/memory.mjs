import { setTimeout as delay } from 'node:timers/promises';
import { openSandbox, runConfined } from '../measure/confined.mjs';
import { assertOutput, timed } from '../measure/interleave.mjs';
import { availableBytes, groupsOf, onlySupervisor, pssBytes, treeOf } from '../measure/processes.mjs';
import { median } from '../measure/statistics.mjs';
import { atMost } from '../report/findings.mjs';

export const name = 'memory';
export const title = 'Memory of spares and of sleeping jobs';
export const about =
  'A spare or a job is two processes: its pid 1 and the interpreter. *Each* is the sum of their PSS (a page shared by several ' +
  'processes counts for each by its share), on average. *One more* is what the whole sandbox grew by, from none to so many, ' +
  'divided by their number; the last column is the same in what the kernel calls available memory, which also has page ' +
  'tables and kernel stacks in it, and whatever else this machine does. *To start one more* is a `print(1)` beside them, ' +
  'Node to result.';

const MIB = 2 ** 20;
/** Until spares are made and nothing moves. */
const SETTLE_MS = 500;
const SLEEP = 'import time; print(1, flush=True); time.sleep(3600)';

/** @typedef {{ pss: number | null, available: number }} Footing */

/** @param {import('../types.mjs').Context} context */
export async function measure({ executable, rounds, isSmoke, say }) {
  const spareCounts = isSmoke ? [2] : [1, 2, 8];
  const jobCounts = isSmoke ? [3] : [10, 100, 500];
  const spares = [];
  for (const count of spareCounts) {
    say(`${count} spares`);
    spares.push({ count, ...(await measureSpares(executable, count)) });
  }
  const jobs = [];
  for (const count of jobCounts) {
    say(`${count} jobs asleep`);
    jobs.push({ count, ...(await measureJobs(executable, count, rounds)) });
  }
  const asTarget = (/** @type {{ each: number | null } | undefined} */ row) => row?.each ?? null;
  const unreadable = asTarget(spares[0]) === null;
  return {
    tables: [spareTable(spares), jobTable(jobs)],
    targets: [
      atMost('memory of a parked spare (PSS, 2 of them)', 2, asTarget(spares.find(({ count }) => count === 2)), 'MiB'),
      atMost(
        'memory of a sleeping job (PSS, 100 of them)',
        3,
        asTarget(jobs.find(({ count }) => count === 100)),
        'MiB',
      ),
    ],
    notes: unreadable ? ['PSS of other users’ processes can be read by root only: run it as root.'] : [],
  };
}

/**
 * @param {string} executable
 * @param {number} count
 */
async function measureSpares(executable, count) {
  const sandbox = await openSandbox(executable, { concurrency: 1, warm: count });
  const supervisor = onlySupervisor();
  await forGroups(supervisor, count);
  const each = mebibytesEach(groupsOf(supervisor));
  const whole = pssBytes(treeOf(supervisor));
  await sandbox.close();
  return { each, whole: whole === null ? null : whole / MIB };
}

/**
 * @param {string} executable
 * @param {number} count
 * @param {number} rounds
 */
async function measureJobs(executable, count, rounds) {
  const sandbox = await openSandbox(executable, { concurrency: count + 1, warm: 1, limits: { wallMs: 3_600_000 } });
  const supervisor = onlySupervisor();
  await forGroups(supervisor, 1);
  const [spare] = groupsOf(supervisor);
  const before = footing(supervisor);

  const startedMs = performance.now();
  await Promise.all(Array.from({ length: count }, () => fallAsleep(sandbox)));
  const startMs = performance.now() - startedMs;
  await forGroups(supervisor, count + 1);
  const after = footing(supervisor);
  const jobs = groupsOf(supervisor).filter((tree) => tree[0] !== spare?.[0]);
  const each = mebibytesEach(jobs);
  const oneMore = [];
  for (let round = 0; round < Math.ceil(rounds / 4); round += 1) {
    oneMore.push(await timed(() => runConfined(sandbox, 'print(1)'), '1\n')());
    await delay(20);
  }
  await sandbox.close();
  return {
    each,
    growth: after.pss === null || before.pss === null ? null : (after.pss - before.pss) / count / MIB,
    available: (before.available - after.available) / count / MIB,
    startEachMs: startMs / count,
    oneMoreMs: median(oneMore),
  };
}

/**
 * Resolves when its code has begun; it ends when the sandbox is closed.
 * @param {import('pinfold').Sandbox} sandbox
 */
function fallAsleep(sandbox) {
  return new Promise((resolve, reject) => {
    const run = sandbox.run(SLEEP, {
      onStdout(chunk) {
        assertOutput(Buffer.from(chunk).toString(), '1\n');
        resolve(undefined);
      },
    });
    run.then(({ reason, stderr }) => reject(new Error(`A sleeper ended with ${reason}: ${stderr}`)), reject);
  });
}

/**
 * Until a supervisor has so many spares and jobs, and nothing moves any more.
 * @param {number} supervisor
 * @param {number} count
 */
async function forGroups(supervisor, count) {
  for (let waitedMs = 0; groupsOf(supervisor).length !== count; waitedMs += SETTLE_MS) {
    if (waitedMs > 30_000) throw new Error(`There are ${groupsOf(supervisor).length} spares and jobs, not ${count}`);
    await delay(SETTLE_MS);
  }
  await delay(SETTLE_MS);
}

/**
 * @param {number} supervisor
 * @returns {Footing}
 */
function footing(supervisor) {
  return { pss: pssBytes(treeOf(supervisor)), available: availableBytes() };
}

/** @param {readonly number[][]} groups */
function mebibytesEach(groups) {
  const bytes = pssBytes(groups.flat());
  return bytes === null ? null : bytes / groups.length / MIB;
}

/** @param {{ count: number, each: number | null, whole: number | null }[]} spares */
function spareTable(spares) {
  return {
    title: 'Spares',
    columns: [{ heading: 'spares', digits: 0 }, { heading: 'each, MiB' }, { heading: 'the whole sandbox, MiB' }],
    rows: spares.map(({ count, each, whole }) => [count, each, whole]),
  };
}

/** @param {({ count: number } & Awaited<ReturnType<typeof measureJobs>>)[]} jobs */
function jobTable(jobs) {
  return {
    title: 'Jobs asleep',
    columns: [
      { heading: 'jobs', digits: 0 },
      { heading: 'each, MiB' },
      { heading: 'one more, MiB' },
      { heading: 'one more, available MiB' },
      { heading: 'start of all, ms each' },
      { heading: 'to start one more, ms' },
    ],
    rows: jobs.map((row) => [row.count, row.each, row.growth, row.available, row.startEachMs, row.oneMoreMs]),
  };
}
