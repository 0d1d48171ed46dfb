import { readdirSync } from 'node:fs';
import { join } from 'node:path';
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
