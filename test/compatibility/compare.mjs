// One module on both sides, and what the difference is due to.
import { readOutcome } from './regression.mjs';
import { runUnconfined } from './sides.mjs';

/**
 * - `same`: passes on both sides.
 * - `unusable`: does not pass unconfined either, or not in time, or skips itself; nothing to compare.
 * - `network`: passes on neither side once the network is refused.
 * - `different`: passes unconfined, not confined.
 *
 * @typedef {import('./regression.mjs').Outcome} Outcome
 * @typedef {'same' | 'unusable' | 'network' | 'different'} Kind
 * @typedef {{ module: string, kind: Kind, unconfined: Outcome, confined?: Outcome, why: string[] }} Row
 * @typedef {(side: string, module: string, output: string) => void} Keep
 */

/** A machine with other work to do must not make a difference: later runs may take this much longer than the first, at least. */
const PATIENCE = 4;
const LEAST_WALL_MS = 60_000;

/**
 * @param {string} executable
 * @param {string} module
 * @param {{ wallMs: number, confined: { run(module: string, wallMs: number): Promise<import('./regression.mjs').Ended> }, keep: Keep }} options
 * @returns {Promise<Row>}
 */
export async function compareModule(executable, module, { wallMs, confined, keep }) {
  const look = async (/** @type {string} */ side, /** @type {Promise<import('./regression.mjs').Ended>} */ run) => {
    const ended = await run;
    keep(side, module, ended.output);
    return readOutcome(ended);
  };

  const startedMs = performance.now();
  const unconfined = await look('unconfined', runUnconfined(executable, module, wallMs, { hasNetwork: true }));
  const patientMs = Math.max(LEAST_WALL_MS, Math.round(PATIENCE * (performance.now() - startedMs)));
  const runConfined = () => look('confined', confined.run(module, patientMs));
  if (unconfined.verdict !== 'passed') return { module, kind: 'unusable', unconfined, why: unconfined.why };
  const first = await runConfined();
  if (first.verdict === 'passed') return { module, kind: 'same', unconfined, confined: first, why: [] };
  const offline = await look('offline', runUnconfined(executable, module, patientMs, { hasNetwork: false }));
  if (offline.verdict !== 'passed') {
    const why = first.why.filter((reason) => !offline.why.includes(reason));
    return { module, kind: 'network', unconfined, confined: first, why };
  }
  const second = await runConfined();
  const kind = second.verdict === 'passed' ? 'same' : 'different';
  return { module, kind, unconfined, confined: second, why: second.why };
}
