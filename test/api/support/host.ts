import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packageRoot } from '../../support/tree.js';

/** A Node process of its own that uses the built package: for what would take the process of the tests along. */
export interface Host {
  readonly child: ChildProcessWithoutNullStreams;
  /** Resolves with the first line that it prints. */
  readonly firstLine: Promise<string>;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }>;
}

export const builtPackage = pathToFileURL(join(packageRoot, 'dist/index.js')).href;

/** `script` is a module in which `Sandbox` is known; `wrapper` a command that becomes the one that is put behind it. */
export function startHost(script: string, wrapper: readonly string[] = []): Host {
  if (!existsSync(join(packageRoot, 'dist/index.js')))
    throw new Error('dist/ is missing: run the tests with `npm test`');
  const source = `import { Sandbox } from ${JSON.stringify(builtPackage)};\n${script}`;
  const [command = '', ...args] = [...wrapper, process.execPath, '--input-type=module', '-e', source];
  const child = spawn(command, args);
  let stdout = '';
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<Awaited<Host['ended']>>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  const firstLine = new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
      if (stdout.includes('\n')) resolve(stdout.split('\n')[0] ?? '');
    });
    child.on('close', () => reject(new Error(`The host ended without a line:\n${stderr}`)));
  });
  firstLine.catch(() => {});
  return { child, firstLine, ended };
}
