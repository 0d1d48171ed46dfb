import type { Question } from './protocol.js';

/** ASK frames are at most 64 KiB, of which the arguments need some. */
const ENVIRONMENT_BYTES = 48 * 1024;

/**
 * Where and with what a trusted program is asked: as the caller would run it, since shims (pyenv, asdf) look at PATH, HOME and
 * the current directory. Of an environment that is too large for a frame, the largest variables are left out.
 */
export function askEnvironment(): Pick<Question, 'cwd' | 'env'> {
  const entries = Object.entries(process.env)
    .filter((entry): entry is [string, string] => entry[1] !== undefined)
    .map(([name, value]) => ({ name, value, byteLength: Buffer.byteLength(name) + Buffer.byteLength(value) + 5 }))
    .sort((a, b) => a.byteLength - b.byteLength);
  let left = ENVIRONMENT_BYTES;
  const kept = entries.filter(({ byteLength }) => {
    left -= byteLength;
    return left >= 0;
  });
  return { cwd: currentDirectory(), env: Object.fromEntries(kept.map(({ name, value }) => [name, value])) };
}

function currentDirectory(): string {
  try {
    return process.cwd();
  } catch {
    // It was removed.
    return '/';
  }
}
