/**
 * @typedef {object} Program
 * @property {string} name
 * @property {string} code Python
 * @property {string} [stdin]
 * @property {import('pinfold').Limits & { onOutputLimit?: 'truncate' | 'kill' }} [limits]
 * @property {Expectation} expect
 */

/**
 * @typedef {object} Expectation
 * @property {import('pinfold').Reason} reason
 * @property {number} [exitCode]
 * @property {NodeJS.Signals} [signalName]
 * @property {string | RegExp | ((text: string) => boolean)} [stdout] default: anything
 * @property {(bytes: Buffer) => boolean} [bytes] of stdout, where it is no text
 * @property {RegExp} [stderr] default: nothing where the exit code is 0, else anything
 * @property {boolean} [truncated] default false
 * @property {number} [processesAtMost]
 * @property {number} [wallMsAtMost]
 */

/**
 * Everything that is not as expected, one sentence each.
 * @param {Expectation} expect
 * @param {import('pinfold').RunResult<unknown, Buffer>} result
 * @returns {string[]}
 */
export function differences(expect, result) {
  const { stdout, stderr, usage } = result;
  /** @type {string[]} */
  const found = [];
  const same = (/** @type {string} */ what, /** @type {unknown} */ is, /** @type {unknown} */ wanted) => {
    if (wanted !== undefined && is !== wanted) found.push(`${what} is ${is}, not ${wanted}`);
  };
  same('the reason', result.reason, expect.reason);
  same('the exit code', result.exitCode, expect.exitCode);
  same('the signal', result.signalName, expect.signalName);
  same('stdoutTruncated', result.stdoutTruncated, expect.truncated ?? false);
  if (!fits(stdout.toString(), expect.stdout)) found.push(`stdout is not as expected: ${shown(stdout)}`);
  if (expect.bytes && !holds(() => expect.bytes?.(stdout))) found.push(`stdout is not as expected: ${shown(stdout)}`);
  if (!fits(stderr.toString(), expect.stderr ?? (expect.exitCode === 0 ? '' : undefined))) {
    found.push(`stderr is not as expected: ${shown(stderr)}`);
  }
  if ((usage.processesPeak ?? 0) > (expect.processesAtMost ?? Infinity)) found.push(`${usage.processesPeak} processes`);
  if (usage.wallMs > (expect.wallMsAtMost ?? Infinity)) found.push(`it took ${Math.round(usage.wallMs)} ms`);
  return found;
}

/**
 * @param {string} text
 * @param {Expectation['stdout']} wanted
 */
function fits(text, wanted) {
  if (wanted === undefined) return true;
  if (typeof wanted === 'function') return holds(() => wanted(text));
  return wanted instanceof RegExp ? wanted.test(text) : text === wanted;
}

/** A check that throws (output that does not parse, say) does not hold. */
function holds(/** @type {() => boolean | undefined} */ check) {
  try {
    return check() === true;
  } catch {
    return false;
  }
}

const shown = (/** @type {Buffer} */ bytes) => JSON.stringify(bytes.toString().slice(0, 300));
