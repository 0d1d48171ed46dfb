import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('../programs/section.mjs', import.meta.url));

/**
 * Measures one section in a process of its own: Node's `spawn` forks its host, so what one section leaves in memory would make
 * the bare rows of the next one slower.
 * @param {string} name
 * @param {{ executable: string, rounds: number, isSmoke: boolean }} settings
 * @returns {Promise<import('../types.mjs').Findings>}
 */
export function measureApart(name, settings) {
  return new Promise((resolve, reject) => {
    const child = fork(PROGRAM, [name, JSON.stringify(settings)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    child.on('error', reject);
    child.on('message', (findings) => resolve(/** @type {import('../types.mjs').Findings} */ (findings)));
    child.on('exit', (code) => {
      // After a message this does nothing.
      if (code !== 0) process.exitCode = 1;
      reject(new Error(`The section ${name} ended with ${code}, before it told what it found`));
    });
  });
}
