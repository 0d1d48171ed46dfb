import { expect, test } from 'vitest';
import { findBreaches, readSources } from '../support/layers.js';

const breachesOf = (sources: Record<string, string>): string[] => findBreaches(new Map(Object.entries(sources)));

test('every import of src goes down', () => {
  const sources = readSources();
  expect(sources.size).toBeGreaterThan(0);
  expect(findBreaches(sources)).toEqual([]);
});

test('an import of the own or a lower layer is fine', () => {
  expect(
    breachesOf({
      'errors.ts': "import { join } from 'node:path';",
      'policy/filter.ts': "import { a } from './syscalls.js'; import { SandboxError } from '../errors.js';",
      'policy/syscalls.ts': '',
      'native.ts': "import koffi from 'koffi'; import type { A } from './errors.js';",
    }),
  ).toEqual([]);
});

test.each([
  ['a plain import', "import { Sandbox } from './sandbox.js';"],
  ['a type import', "import type { Sandbox } from './sandbox.js';"],
  ['a re-export', "export * from './sandbox.js';"],
  ['an import for effect', "import './sandbox.js';"],
  ['an import() call', "const later = () => import('./sandbox.js');"],
  ['an import() type', "export type A = import('./sandbox.js').Sandbox;"],
])('%s from above is refused', (_, source) => {
  expect(breachesOf({ 'queue.ts': source, 'sandbox.ts': '' })).toEqual([
    'src/queue.ts (layer 4) imports src/sandbox.ts (layer 5): imports go down only',
  ]);
});

test('a file without a layer is refused', () => {
  expect(breachesOf({ 'utils.ts': '' })).toEqual([
    'src/utils.ts is in no layer: give it one in test/support/layers.ts',
  ]);
});

test('a cycle inside a layer is refused', () => {
  expect(breachesOf({ 'run.ts': "import './result.js';", 'result.ts': "import './run.js';" })).toEqual([
    'import cycle: src/run.ts → src/result.ts → src/run.ts',
  ]);
});

test('packages stay in their files', () => {
  expect(
    breachesOf({
      'queue.ts': "import koffi from 'koffi'; import PQueue from 'p-queue';",
      'run.ts': "import { spawn } from 'node:child_process'; import lodash from 'lodash'; import fs from 'fs';",
    }),
  ).toEqual([
    'src/queue.ts imports koffi: only native.ts may',
    'src/run.ts imports node:child_process: the supervisor starts processes',
    'src/run.ts imports lodash, which is not a run-time dependency',
    'src/run.ts imports fs, which is not a run-time dependency',
  ]);
});
