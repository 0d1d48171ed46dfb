import { runBare } from '../measure/bare.mjs';
import { openSandbox, runConfined } from '../measure/confined.mjs';
import { assertOutput, interleave } from '../measure/interleave.mjs';
import { atMost, comparisonTable, find } from '../report/findings.mjs';

export const name = 'cpu';
export const title = 'CPU-bound code';
export const about =
  'A fixed loop of arithmetic, about a second of it, timed by the program itself, so that what starting costs on either ' +
  'side is left out: by the wall clock, and by the CPU clock of the process.';

/** @param {import('../types.mjs').Context} context */
export async function measure({ executable, rounds, isSmoke }) {
  const steps = isSmoke ? 1_000 : 20_000_000;
  const sandbox = await openSandbox(executable, { concurrency: 1, limits: { wallMs: 60_000 } });
  const bare = (/** @type {string} */ code) => runBare([executable, '-c', code]);
  const confined = (/** @type {string} */ code) => runConfined(sandbox, code);
  const found = [];
  for (const clock of ['perf_counter', 'process_time']) {
    const rows = [
      { name: 'bare', sample: () => timeLoop(bare, steps, clock) },
      { name: 'pinfold', sample: () => timeLoop(confined, steps, clock) },
    ];
    found.push({ clock, summaries: await interleave(rows, { rounds: Math.ceil(rounds / 8) }) });
  }
  await sandbox.close();
  const [byWall] = found;
  return {
    tables: found.map(({ clock, summaries }) => comparisonTable(`By time.${clock}`, 'ms', summaries)),
    targets: [
      atMost(
        'a fixed numeric loop, confined against bare, p50',
        1.02,
        byWall ? find(byWall.summaries, 'pinfold').ratio : null,
      ),
    ],
  };
}

/**
 * Milliseconds of the loop. Its result is checked: both sides must have done the same work.
 * @param {(code: string) => Promise<string>} run
 * @param {number} steps
 * @param {string} clock
 */
async function timeLoop(run, steps, clock) {
  const [result = '', milliseconds = ''] = (await run(program(steps, clock))).split(' ');
  assertOutput(result, `${expected(steps)}`);
  return Number(milliseconds);
}

/**
 * @param {number} steps
 * @param {string} clock
 */
function program(steps, clock) {
  return `
import time

def loop(steps):
    value = 1
    for step in range(steps):
        value = (value * 31 + step) % 65521
    return value

started = time.${clock}()
value = loop(${steps})
print(value, (time.${clock}() - started) * 1000)
`;
}

/** @param {number} steps */
function expected(steps) {
  let value = 1;
  for (let step = 0; step < steps; step += 1) value = (value * 31 + step) % 65521;
  return value;
}
