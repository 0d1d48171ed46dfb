import { createHash } from 'node:crypto';
import { accessSync, constants, cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  compiler,
  hashSources,
  nodeDirectory,
  prebuildDirectory,
  products,
  readRecord,
} from '../../native/prebuild.mjs';
import { runCommand } from '../support/command.js';
import { skipForeign, skipMissing } from '../support/skip.js';
import { packageRoot, temporaryDirectory } from '../support/tree.js';

const remedy = 'run `npm run build:native` and commit prebuilds/';

describe('the committed prebuilds', () => {
  test('are made from the sources, flags and version of this tree', () => {
    expect(readRecord().get('sources'), `prebuilds are stale: ${remedy}`).toBe(hashSources());
  });

  test.each(products)('%s is the file that was recorded, and can be run', (name) => {
    const file = join(prebuildDirectory(), name);
    const hash = createHash('sha256').update(readFileSync(file)).digest('hex');
    expect(hash, `${name} is not what its record says: ${remedy}`).toBe(readRecord().get(name));
    accessSync(file, constants.R_OK | constants.X_OK);
  });

  test('come out the same, byte for byte, when built elsewhere', (context) => {
    const here = compiler();
    if (here === undefined) return skipMissing(context, 'no gcc');
    if (nodeDirectory() === undefined) return skipMissing(context, `${process.execPath} has no headers beside it`);
    const recorded = readRecord().get('compiler');
    if (here !== recorded)
      return skipForeign(context, `the compiler is ${here}; the prebuilds were made by ${recorded}`);
    const copy = join(temporaryDirectory(), 'elsewhere');
    for (const name of ['package.json', 'native']) {
      cpSync(join(packageRoot, name), join(copy, name), {
        recursive: true,
        filter: (from) => !from.endsWith('native/build'),
      });
    }
    runCommand(process.execPath, [join(packageRoot, 'native/build.mjs'), copy]);
    for (const name of products) {
      const same = readFileSync(join(prebuildDirectory(copy), name)).equals(
        readFileSync(join(prebuildDirectory(), name)),
      );
      expect(same, `${name} differs from what its sources build to: ${remedy}`).toBe(true);
    }
  });
});
