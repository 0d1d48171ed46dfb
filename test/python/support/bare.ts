import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { Interpreter } from './interpreters.js';
import type { Program } from './programs.js';

/** How a program ended and what it said. */
export interface Outcome {
  readonly exitCode: number | null;
  readonly signalName: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `python3 main.py`, unconfined, in a directory of its own; paths as a job sees them. */
export async function runBare(interpreter: Interpreter, program: Program): Promise<Outcome> {
  const directory = await mkdtemp(join(tmpdir(), 'pinfold-bare-'));
  try {
    await writeFile(join(directory, 'main.py'), program.code);
    const child = spawn(interpreter.executable, ['main.py', ...program.args], { cwd: directory, env: program.env });
    child.stdin.on('error', () => {}).end(program.stdin);
    const ended = new Promise<[number | null, string | null]>((resolve, reject) => {
      child.once('error', reject).once('close', (code, signal) => resolve([code, signal]));
    });
    const [stdout, stderr, [exitCode, signalName]] = await Promise.all([
      buffer(child.stdout),
      buffer(child.stderr),
      ended,
    ]);
    const move = (output: Buffer) =>
      output
        .toString()
        .replaceAll(directory, '/work')
        .replaceAll(...(interpreter.moved ?? ['', '']));
    return { exitCode, signalName, stdout: steady(move(stdout)), stderr: steady(move(stderr)) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Output without what differs between any two runs: addresses, process ids, durations. */
export function steady(output: string): string {
  return output
    .replace(/0x[0-9a-f]{6,}/g, '0x…')
    .replace(/pid=\d+/g, 'pid=…')
    .replace(/in \d+\.\d+s/g, 'in …s');
}
