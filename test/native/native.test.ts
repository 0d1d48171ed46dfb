import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hasCommand, runCommand } from '../support/command.js';
import { skipMissing } from '../support/skip.js';
import { temporaryDirectory } from '../support/tree.js';
import { sanitizerFlags, sourcesIn } from './sources.js';

const tests = readdirSync(import.meta.dirname).filter((name) => name.endsWith('_test.c'));

test('there are C tests', () => {
  expect(tests).not.toEqual([]);
});

// Each is one hosted program over the native sources, but for the supervisor's entry. It ends with 0 where all its checks
// held.
for (const name of tests) {
  test(`${name} holds under the address and undefined-behaviour sanitizers`, (context) => {
    if (!hasCommand('gcc')) return skipMissing(context, 'no gcc');
    const program = join(temporaryDirectory(), name.replace(/\.c$/, ''));
    const sources = [
      join(import.meta.dirname, name),
      ...sourcesIn('base'),
      ...sourcesIn('confine'),
      ...sourcesIn('supervisor').filter((path) => !path.endsWith('/main.c')),
    ];
    runCommand('gcc', [...sanitizerFlags('0.0.0-test'), '-o', program, ...sources]);
    runCommand(program, [], {
      env: { ...process.env, ASAN_OPTIONS: 'detect_leaks=0', UBSAN_OPTIONS: 'print_stacktrace=1' },
    });
  });
}
