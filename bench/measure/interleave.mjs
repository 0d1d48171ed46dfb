import { setTimeout as delay } from 'node:timers/promises';
import { compare } from './statistics.mjs';

/**
 * What a row leaves behind (a spare that is being made ready, pages that are being given back) must not be the next row's
 * to pay for.
 */
const SETTLE_MS = 10;

/**
 * Measures rows round by round, each once a round: whatever else the machine does meets all of them alike. The order moves
 * on by one each round.
 * @param {readonly import('../types.mjs').Row[]} rows
 * @param {{ rounds: number, warmUps?: number }} options
 */
export async function interleave(rows, { rounds, warmUps = 1 }) {
  /** @type {Map<string, number[]>} */
  const samples = new Map(rows.map(({ name }) => [name, []]));
  for (let round = -warmUps; round < rounds; round += 1) {
    for (const { name, sample } of rotated(rows, round + warmUps)) {
      await delay(SETTLE_MS);
      const value = await sample();
      if (round >= 0) samples.get(name)?.push(value);
    }
  }
  return compare(samples);
}

/**
 * @template T
 * @param {readonly T[]} list
 * @param {number} by
 */
function rotated(list, by) {
  const start = by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}

/**
 * Milliseconds of a run from the call to its result, which must be `expected`.
 * @param {() => Promise<string>} run
 * @param {string} expected
 */
export function timed(run, expected) {
  return async () => {
    const startedMs = performance.now();
    const output = await run();
    const tookMs = performance.now() - startedMs;
    assertOutput(output, expected);
    return tookMs;
  };
}

/**
 * @param {string} output
 * @param {string} expected
 */
export function assertOutput(output, expected) {
  if (output !== expected) throw new Error(`It printed ${shorten(output)}, not ${shorten(expected)}`);
}

/** @param {string} text */
function shorten(text) {
  return JSON.stringify(text.length > 300 ? `${text.slice(0, 300)}…` : text);
}
