// Where a module can be run: unconfined, unconfined but for the network, and as a run of a sandbox.
import { spawn } from 'node:child_process';
import { chownSync, realpathSync, statSync } from 'node:fs';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Sandbox } from '../../dist/index.js';
import { argumentsFor, ENVIRONMENT, PROGRAM, PROGRAM_WITHOUT_NETWORK } from './regression.mjs';

/** @typedef {import('./regression.mjs').Ended} Ended */

const MIB = 1024 * 1024;
const NOBODY = 65534;
const READABLE_TO_ALL = 0o005;

/** More than the defaults, as a test suite needs: CPython's own runs hundreds of threads and writes hundreds of megabytes. */
const limits = {
  memoryBytes: 2048 * MIB,
  scratchBytes: 512 * MIB,
  processes: 256,
  openFiles: 1024,
  outputBytes: 32 * MIB,
};

/**
 * Who runs the unconfined side: an ordinary user, since what needs root is not compared. Root itself only where nobody else
 * may read the interpreter.
 * @param {string} executable
 */
export function ordinaryUser(executable) {
  if (process.getuid?.() !== 0) return {};
  for (let path = realpathSync(executable); path !== '/'; path = dirname(path)) {
    if ((statSync(path).mode & READABLE_TO_ALL) !== READABLE_TO_ALL) return {};
  }
  return { uid: NOBODY, gid: NOBODY };
}

/** @param {string} executable @param {string} module @param {number} wallMs @param {{ hasNetwork: boolean }} options */
export async function runUnconfined(executable, module, wallMs, { hasNetwork }) {
  const directory = await mkdtemp(join(tmpdir(), 'pinfold-bare-'));
  const user = ordinaryUser(executable);
  try {
    await writeFile(join(directory, 'main.py'), hasNetwork ? PROGRAM : PROGRAM_WITHOUT_NETWORK);
    await copyFile(join(import.meta.dirname, 'without_network.py'), join(directory, 'without_network.py'));
    if (user.uid !== undefined) chownSync(directory, user.uid, user.gid);
    const env = { ...ENVIRONMENT, HOME: directory, TMPDIR: directory };
    return await runProgram([executable, 'main.py', ...argumentsFor(module)], { ...user, cwd: directory, env, wallMs });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * @param {string[]} argv
 * @param {{ cwd?: string, env?: Record<string, string>, uid?: number, gid?: number, wallMs: number }} options
 * @returns {Promise<Ended>}
 */
export function runProgram([command = '', ...args], { wallMs, ...options }) {
  return new Promise((resolve, reject) => {
    // A group of its own: tests start other processes, which may outlive them and hold the pipes open.
    const child = spawn(command, args, { ...options, detached: true });
    /** @type {Buffer[]} */
    const pieces = [];
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      endGroup(child.pid);
      child.stdout.destroy();
      child.stderr.destroy();
    }, wallMs);
    child.stdin.on('error', () => {}).end();
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => pieces.push(piece));
    child.once('error', reject).once('exit', () => endGroup(child.pid));
    child.once('close', (exitCode, signalName) => {
      clearTimeout(timer);
      resolve({
        exitCode,
        ending: isLate ? 'wall-limit' : (signalName ?? ''),
        output: Buffer.concat(pieces).toString(),
      });
    });
  });
}

/** @param {number | undefined} pid */
function endGroup(pid) {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // None of them is left.
  }
}

/** @param {string} executable */
export function openConfined(executable) {
  const env = { ...ENVIRONMENT, HOME: '/work' };
  const concurrency = availableParallelism();
  const sandbox = new Sandbox({ language: 'python', executable, concurrency, env, limits });
  return {
    close: () => sandbox.close(),
    /** @param {string} module @param {number} wallMs @returns {Promise<Ended>} */
    async run(module, wallMs) {
      const options = { args: argumentsFor(module), wallMs, cpuMs: wallMs * concurrency };
      const { reason, exitCode, signalName, stdout, stderr } = await sandbox.run(PROGRAM, options);
      const ending = reason === 'exited' ? '' : reason === 'signaled' ? `${signalName}` : reason;
      return { exitCode, ending, output: stdout + stderr };
    },
  };
}
