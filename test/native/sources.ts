import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { VERSION } from '../../src/version.js';
import { runCommand } from '../support/command.js';
import { packageRoot } from '../support/tree.js';

const native = join(packageRoot, 'native');

/** The C files of one folder of native/, sorted. */
export function sourcesIn(folder: string): string[] {
  const directory = join(native, folder);
  return readdirSync(directory)
    .filter((name) => name.endsWith('.c'))
    .sort()
    .map((name) => join(directory, name));
}

/** For a hosted build under the sanitizers: with a C library, and an end at the first fault. `version` is the one compiled in. */
export function sanitizerFlags(version: string): string[] {
  return [
    ...['-std=gnu11', '-D_GNU_SOURCE', '-g', '-O1', '-Wall', '-Wextra', '-Werror', '-fno-omit-frame-pointer'],
    ...['-fsanitize=address,undefined', '-fno-sanitize-recover=all'],
    ...['-DPINFOLD_HOSTED', `-DPINFOLD_VERSION="${version}"`, `-I${native}`, `-I${join(native, 'include')}`],
  ];
}

/** The supervisor as the package has it, but hosted, under the sanitizers. What they find is in files whose name begins with `log`. */
export function buildSanitizedSupervisor(directory: string): string {
  const supervisor = join(directory, 'pinfold-supervisor');
  const sources = ['base', 'confine', 'supervisor'].flatMap(sourcesIn);
  const options = [join(import.meta.dirname, 'sanitizer_options.c'), `-DSANITIZER_LOG="${join(directory, 'log')}"`];
  runCommand('gcc', [...sanitizerFlags(VERSION), '-o', supervisor, ...options, ...sources]);
  return supervisor;
}

/** What the sanitizers said, by process. */
export function sanitizerLogs(directory: string): string[] {
  const names = readdirSync(directory).filter((name) => name.startsWith('log'));
  return names.map((name) => readFileSync(join(directory, name), 'utf8'));
}
