// How one module of CPython's own regression tests is run, and what its output tells.

/**
 * @typedef {'passed' | 'skipped' | 'failed'} Verdict
 * @typedef {{ exitCode: number | null, ending: string, output: string }} Ended How a program ended (a word where not by itself), and all it said.
 * @typedef {{ verdict: Verdict, ran: number, skipped: number, why: string[] }} Outcome
 */

/** `python -m test -v MODULE`, as a script: processes that multiprocessing spawns import it, and must not run it again. */
export const PROGRAM = `
if __name__ == '__main__':
    import runpy
    runpy.run_module('test', run_name='__main__', alter_sys=True)
`;

/** The same with every call refused that needs a network: what fails there doesn't fail for being confined. */
export const PROGRAM_WITHOUT_NETWORK = PROGRAM.replace(
  'import runpy',
  'import runpy, without_network\n    without_network.refuse_network()',
);

/** @param {string} module */
export const argumentsFor = (module) => ['-v', module];

/** Exactly these on both sides. No PYTHON* variable: for one, a run would start the interpreter anew. */
export const ENVIRONMENT = { LANG: 'C.UTF-8', PATH: '/usr/local/bin:/usr/bin:/bin' };

/** @param {Ended} ended @returns {Outcome} */
export function readOutcome({ exitCode, ending, output }) {
  const ran = sumOf(output, /^Ran (\d+) tests? in /gm);
  const skipped = sumOf(output, /^(?:OK|FAILED) \(.*skipped=(\d+)/gm);
  const why = reasonsOf(output);
  if (exitCode !== 0) return { verdict: 'failed', ran, skipped, why: [ending, ...why].filter((text) => text !== '') };
  if (/result: no tests? r[au]n/im.test(output))
    return { verdict: 'failed', ran, skipped, why: ['no test ran', ...why] };
  // regrtest is content with a module that skips itself; nothing was tried then.
  const left = /^\S+ skipped(?: \(resource denied\))?(?: -- (.*))?$/m.exec(output);
  if (left && ran === 0) return { verdict: 'skipped', ran, skipped, why: [left[1] ?? ''] };
  return { verdict: 'passed', ran, skipped, why: [] };
}

/** @param {string} output @param {RegExp} pattern */
function sumOf(output, pattern) {
  return [...output.matchAll(pattern)].reduce((sum, [, number]) => sum + Number(number), 0);
}

/** Of each test that failed its name, and the last line of its traceback. @param {string} output */
function reasonsOf(output) {
  const reports = output.split(/^={70}$/m).slice(1);
  const reasons = reports.map((report) => {
    const [title = '', ...lines] = (report.split(/^-{70}\nRan /m)[0] ?? '').trim().split('\n');
    const error = lines.findLast((line) => /^\w[\w.]*(?:Error|Exception|Exit|Expired|Interrupt|Warning)\b/.test(line));
    return `${title}: ${error ?? lines.at(-1) ?? ''}`;
  });
  return [...new Set(reasons)];
}
