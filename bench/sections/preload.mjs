import { moduleVersion, runBare } from '../measure/bare.mjs';
import { openSandbox, runConfined } from '../measure/confined.mjs';
import { interleave, timed } from '../measure/interleave.mjs';
import { atMost, comparisonTable, find } from '../report/findings.mjs';

export const name = 'preload';
export const title = 'Preloaded modules';
export const about =
  'Milliseconds from the call in Node to the result of `import numpy; print(1)`, and the same for pandas: in a bare ' +
  '`python3 -c`, and in a sandbox with that module in `preload`. Each ratio is against the bare import of the same module.';

const MODULES = ['numpy', 'pandas'];
const PANDAS_TARGET = '`import pandas` preloaded, p50 against a bare import';

/** @param {import('../types.mjs').Context} context */
export async function measure({ executable, rounds }) {
  const present = MODULES.filter((module) => moduleVersion(executable, module) !== null);
  const absent = MODULES.filter((module) => !present.includes(module));
  const found = [];
  for (const module of present) found.push(await measureModule(module, executable, Math.ceil(rounds / 4)));

  const pandas = found.find(({ module }) => module === 'pandas');
  return {
    tables: found.map(({ module, summaries }) => comparisonTable(module, 'ms', summaries)),
    pictures: found.length > 0 ? [picture(found)] : [],
    targets: [atMost(PANDAS_TARGET, 0.01, pandas ? find(pandas.summaries, 'pinfold, preloaded').ratio : null)],
    notes: absent.map((module) => `Left out: ${module}, which this interpreter doesn't have.`),
  };
}

/**
 * @param {string} module
 * @param {string} executable
 * @param {number} rounds
 */
async function measureModule(module, executable, rounds) {
  const code = `import ${module}; print(1)`;
  const sandbox = await openSandbox(executable, { concurrency: 1, preload: [module] });
  const summaries = await interleave(
    [
      { name: 'bare import', sample: timed(() => runBare([executable, '-c', code]), '1\n') },
      { name: 'pinfold, preloaded', sample: timed(() => runConfined(sandbox, code), '1\n') },
    ],
    { rounds },
  );
  await sandbox.close();
  return { module, summaries };
}

/**
 * @param {{ module: string, summaries: import('../types.mjs').Summary[] }[]} found
 * @returns {import('../types.mjs').Picture}
 */
function picture(found) {
  const bars = found.flatMap(({ module, summaries }) =>
    summaries.map((row) => ({
      name: `import ${module}: ${row.name}`,
      value: row.p50,
      isOurs: row.name.startsWith('pinfold'),
    })),
  );
  return { type: 'bars', file: 'preload', title: 'import numpy, import pandas, Node to result', unit: 'ms', bars };
}
