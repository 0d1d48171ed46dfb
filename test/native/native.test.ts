import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hasCommand, runCommand } from '../support/command.js';
import { skipMissing } from '../support/skip.js';
import { packageRoot, temporaryDirectory } from '../support/tree.js';

const native = join(packageRoot, 'native');

const sourcesIn = (directory: string): string[] =>
  readdirSync(directory)
    .filter((name) => name.endsWith('.c'))
    .sort()
    .map((name) => join(directory, name));

const flags = [
  ...['-std=gnu11', '-D_GNU_SOURCE', '-g', '-O1', '-Wall', '-Wextra', '-Werror', '-fno-omit-frame-pointer'],
  ...['-fsanitize=address,undefined', '-fno-sanitize-recover=all'],
  ...['-DPINFOLD_HOSTED', '-DPINFOLD_VERSION="0.0.0-test"', `-I${native}`, `-I${join(native, 'include')}`],
];

const tests = readdirSync(import.meta.dirname).filter((name) => name.endsWith('_test.c'));

test('there are C tests', () => {
  expect(tests).not.toEqual([]);
});

// Each is one hosted program over the native sources, but for the supervisor's entry. It ends with 0 where all its checks held.
for (const name of tests) {
  test(`${name} holds under the address and undefined-behaviour sanitizers`, (context) => {
    if (!hasCommand('gcc')) return skipMissing(context, 'no gcc');
    const program = join(temporaryDirectory(), name.replace(/\.c$/, ''));
    const sources = [
      join(import.meta.dirname, name),
      ...sourcesIn(join(native, 'base')),
      ...sourcesIn(join(native, 'confine')),
      ...sourcesIn(join(native, 'supervisor')).filter((path) => !path.endsWith('/main.c')),
    ];
    runCommand('gcc', [...flags, '-o', program, ...sources]);
    runCommand(program, [], {
      env: { ...process.env, ASAN_OPTIONS: 'detect_leaks=1', UBSAN_OPTIONS: 'print_stacktrace=1' },
    });
  });
}
