import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hasCommand, runCommand } from '../support/command.js';
import { skipMissing } from '../support/skip.js';
import { sanitizerFlags, sourcesIn } from './sources.js';

const tests = readdirSync(import.meta.dirname).filter((name) => name.endsWith('_test.c'));

test('there are C tests', () => {
  expect(tests).not.toEqual([]);
});

const hasCompiler = hasCommand('gcc');
const flags = sanitizerFlags('0.0.0-test');
let directory = '';

// All native sources, but for the supervisor's entry.
beforeAll(() => {
  if (!hasCompiler) return;
  directory = mkdtempSync(join(tmpdir(), 'pinfold-native-'));
  const sources = ['base', 'confine', 'supervisor'].flatMap(sourcesIn).filter((path) => !path.endsWith('/main.c'));
  runCommand('gcc', [...flags, '-r', '-o', join(directory, 'all.o'), ...sources]);
});

afterAll(() => {
  if (directory) rmSync(directory, { recursive: true });
});

// Each is one hosted program. It ends with 0 where all its checks held.
for (const name of tests) {
  test(`${name} holds under the address and undefined-behaviour sanitizers`, (context) => {
    if (!hasCompiler) return skipMissing(context, 'no gcc');
    const program = join(directory, name.replace(/\.c$/, ''));
    runCommand('gcc', [...flags, '-o', program, join(import.meta.dirname, name), join(directory, 'all.o')]);
    runCommand(program, [], {
      env: { ...process.env, ASAN_OPTIONS: 'detect_leaks=0', UBSAN_OPTIONS: 'print_stacktrace=1' },
    });
  });
}
