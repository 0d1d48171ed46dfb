import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { Sandbox } from '../../src/index.js';
import { hasCommand } from '../support/command.js';
import { skipMissing } from '../support/skip.js';
import { buildSanitizedSupervisor, sanitizerLogs } from './sources.js';

const built = vi.hoisted(() => ({ supervisor: '' }));

vi.mock('../../src/paths.js', async (importOriginal) => {
  const paths = await importOriginal<typeof import('../../src/paths.js')>();
  return { ...paths, prebuiltPaths: () => ({ ...paths.prebuiltPaths(), supervisor: built.supervisor }) };
});

const hasCompiler = hasCommand('gcc');
let directory = '';

beforeAll(() => {
  if (!hasCompiler) return;
  directory = mkdtempSync(join(tmpdir(), 'pinfold-sanitized-'));
  chmodSync(directory, 0o755);
  built.supervisor = buildSanitizedSupervisor(directory);
});

afterEach(() => {
  expect(directory ? sanitizerLogs(directory) : []).toEqual([]);
});

afterAll(() => {
  if (directory) rmSync(directory, { recursive: true });
});

function open(): Sandbox {
  return new Sandbox({ language: 'python', concurrency: 4 });
}

test('a supervisor under the sanitizers serves many runs at once', async (context) => {
  if (!hasCompiler) return skipMissing(context, 'no gcc');
  const sandbox = open();
  const runs = Array.from({ length: 100 }, (_, number) => sandbox.run(`print(${number})`));
  const results = await Promise.all(runs);
  expect(results.map((result) => result.stdout)).toEqual(runs.map((_, number) => `${number}\n`));
  await sandbox.close();
});

test('a supervisor under the sanitizers ends what passes its limits', async (context) => {
  if (!hasCompiler) return skipMissing(context, 'no gcc');
  const sandbox = open();
  const reasons = await Promise.all([
    sandbox.run('while True: pass', { wallMs: 300 }),
    sandbox.run('while True: pass', { cpuMs: 200 }),
    sandbox.run('x = []\nwhile True: x.append(bytearray(1 << 20))', { memoryBytes: '64MiB' }),
    sandbox.run('while True: print("x" * 1000)', { onOutputLimit: 'kill', outputBytes: '1MiB' }),
    sandbox.run('import os\nos.kill(os.getpid(), 11)'),
    sandbox.run('import sys\nsys.exit(3)'),
  ]);
  expect(reasons.map((result) => result.reason)).toEqual([
    'wall-limit',
    'cpu-limit',
    'memory-limit',
    'output-limit',
    'signaled',
    'exited',
  ]);
  await sandbox.close();
});

test('a supervisor under the sanitizers passes megabytes in and out', async (context) => {
  if (!hasCompiler) return skipMissing(context, 'no gcc');
  const sandbox = open();
  const text = 'x'.repeat(5_000_000);
  const echo = 'import shutil, sys\nshutil.copyfileobj(sys.stdin, sys.stdout)';
  const limits = { outputBytes: '8MiB', stdin: text } as const;
  const results = await Promise.all([sandbox.run(echo, limits), sandbox.run(echo, limits)]);
  expect(results.map((result) => result.stdout === text)).toEqual([true, true]);
  const large = await sandbox.run(`${'#'.repeat(8_000_000)}\nprint("end")`);
  expect(large.stdout).toBe('end\n');
  await sandbox.close();
});

test('a supervisor under the sanitizers survives aborts at any moment', async (context) => {
  if (!hasCompiler) return skipMissing(context, 'no gcc');
  const sandbox = open();
  const runs = Array.from({ length: 40 }, (_, number) =>
    sandbox.run('import time\ntime.sleep(10)', { signal: AbortSignal.timeout(number * 5) }),
  );
  const results = await Promise.all(runs);
  expect(new Set(results.map((result) => result.reason))).toEqual(new Set(['aborted']));
  expect((await sandbox.run('print(1)')).stdout).toBe('1\n');
  await sandbox.close();
});
