// What differs between a terminal and a pipe: colours, the width, and whether a line can be written again.
import { stripVTControlCharacters } from 'node:util';

const { stdout, env } = process;
const isTerminal = stdout.isTTY && env.TERM !== 'dumb';
const hasColours = isTerminal && !env.NO_COLOR;
const WIDTH_MAX = 100;

export const width = Math.min(isTerminal ? stdout.columns || WIDTH_MAX : WIDTH_MAX, WIDTH_MAX);

const paint = (/** @type {number} */ code) => (/** @type {string} */ text) =>
  hasColours ? `\x1b[${code}m${text}\x1b[0m` : text;

export const bold = paint(1);
export const dim = paint(2);
export const red = paint(31);
export const green = paint(32);
export const yellow = paint(33);

/** The line that says what is going on. In a terminal each takes the place of the one before, in a pipe they all stay. */
export function showProgress(/** @type {string} */ text) {
  stdout.write(isTerminal ? `\r\x1b[K${cut(text, width - 1)}` : `${text}\n`);
}

export function endProgress() {
  stdout.write(isTerminal ? '\r\x1b[K' : '\n');
}

export function print(/** @type {string} */ text = '') {
  stdout.write(`${text}\n`);
}

/**
 * Untrusted output made fit for one line of a terminal: spaces are joined, and nothing is left that could steer it.
 * @param {string} text
 */
export function printable(text) {
  return stripVTControlCharacters(text).replace(/\s+/g, ' ').replace(/\p{C}/gu, '\u{b7}').trim();
}

/**
 * @param {string} text
 * @param {number} length
 */
export function cut(text, length) {
  const characters = [...text];
  return characters.length > length ? `${characters.slice(0, length - 1).join('')}…` : text;
}
