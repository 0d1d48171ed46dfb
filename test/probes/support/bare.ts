import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../support/tree.js';
import { type LanguageName, languages } from '../languages/index.js';
import type { Findings } from '../probe.js';
import { findMarked, type Scene } from './scene.js';

export interface Ended {
  /** 'exit 0', a signal, or 'still running'. */
  readonly how: string;
  readonly findings: Findings | undefined;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface BareOptions {
  readonly args?: readonly string[];
  /** The system-call filter to run under: the only layer then. */
  readonly filter?: string;
  readonly ms?: number;
  /** Called when the program has ended, or its time is over, and before what it left is cleared away. */
  readonly atEnd?: () => void;
}

/** Runs a program without a sandbox, with its time limited, and ends all that it leaves behind. */
export async function runBare(
  scene: Scene,
  language: LanguageName,
  body: string,
  options: BareOptions = {},
): Promise<Ended> {
  const { complete, bareArguments } = languages[language];
  const executable = scene.executables[language];
  const bare = [executable, ...bareArguments(complete(body), [...(options.args ?? []), scene.marker])];
  const underFilter = join(packageRoot, 'test/fixtures/under_filter.py');
  const [command = '', ...args] = options.filter
    ? [scene.executables.python, underFilter, options.filter, ...bare]
    : bare;
  const cwd = scene.directory();
  try {
    return await runToEnd(command, args, cwd, options);
  } finally {
    for (const pid of findMarked(scene.marker)) killQuietly(pid);
    rmSync(cwd, { recursive: true, force: true });
  }
}

function runToEnd(
  command: string,
  args: readonly string[],
  cwd: string,
  { ms = 20_000, atEnd }: BareOptions,
): Promise<Ended> {
  const child = spawn(command, args, { cwd, stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.on('error', () => {}).end();
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk) => out.push(chunk));
  child.stderr.on('data', (chunk) => err.push(chunk));
  return new Promise((resolve, reject) => {
    const settle = (how: string) => {
      clearTimeout(timer);
      const stdout = Buffer.concat(out);
      const ended = { how, findings: parseFindings(stdout), stdout, stderr: `${Buffer.concat(err)}` };
      try {
        atEnd?.();
        resolve(ended);
      } catch (error) {
        reject(error);
      }
    };
    const timer = setTimeout(() => settle('still running'), ms);
    child.once('error', reject);
    // Not 'close', which waits for children that hold the pipes. What is in the pipes has a moment to arrive.
    child.once('exit', (code, signal) => setTimeout(() => settle(signal ?? `exit ${code}`), 20));
  });
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, constants.signals.SIGKILL);
  } catch {
    // It has just ended.
  }
}

/** The last line, where it is JSON. */
export function parseFindings(stdout: Buffer | string): Findings | undefined {
  const line = stdout.toString('utf8').trimEnd().split('\n').at(-1) ?? '';
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Findings) : undefined;
  } catch {
    return undefined;
  }
}
