import { execFileSync, spawn } from 'node:child_process';

/**
 * Runs a program as one would without a sandbox, and resolves with what it printed, when it has ended and was reaped and
 * all is read.
 * @param {readonly string[]} command
 * @param {{ shell?: boolean }} [options]
 * @returns {Promise<string>}
 */
export function runBare([file = '', ...args], { shell = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], shell });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(stdout);
      else reject(new Error(`${file} ended with ${code}: ${stderr.slice(-300)}`));
    });
  });
}

/**
 * A `python3` on PATH may be a shell script that looks for the real one: all sides are to start the same program.
 * @param {string} executable
 */
export function realInterpreter(executable) {
  return ask(executable, 'import os, sys; print(os.path.realpath(sys.executable))');
}

/** @param {string} executable */
export function interpreterVersion(executable) {
  return ask(executable, 'import platform; print(platform.python_implementation(), platform.python_version())');
}

/**
 * Null where it is not installed for this interpreter.
 * @param {string} executable
 * @param {string} name
 */
export function moduleVersion(executable, name) {
  try {
    return ask(executable, `import ${name}; print(${name}.__version__)`);
  } catch {
    return null;
  }
}

/**
 * @param {string} executable
 * @param {string} code
 */
function ask(executable, code) {
  return execFileSync(executable, ['-I', '-c', code], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}
