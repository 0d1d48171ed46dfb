import { expect, test } from 'vitest';
import { readPage } from '../docs/markdown.js';
import { differences } from './differences.mjs';
import { readOutcome } from './regression.mjs';

test('docs/compatibility.md tells of exactly the differences that are known', () => {
  const { text } = readPage('docs/compatibility.md');
  const section = text.split(/^## /m).find((part) => part.startsWith("Where CPython's tests differ")) ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| `test_'));
  const named = rows.flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`(test_\w+)`/g)].map(([, name]) => name));
  expect(named.sort()).toEqual(Object.keys(differences).sort());
});

const FAILED = `
======================================================================
ERROR: test_bad (test.test_x.T.test_bad)
----------------------------------------------------------------------
Traceback (most recent call last):
  File "x.py", line 1, in f
OSError: [Errno 30] Read-only file system

----------------------------------------------------------------------
Ran 12 tests in 0.1s

FAILED (errors=1, skipped=3)
`;

test.each([
  ['passes', 0, '', 'Ran 4 tests in 1s\n\nOK (skipped=1)\n', { verdict: 'passed', ran: 4, skipped: 1, why: [] }],
  [
    'skips itself',
    0,
    '',
    'test_x skipped -- no such module\n',
    { verdict: 'skipped', ran: 0, skipped: 0, why: ['no such module'] },
  ],
  [
    'fails',
    2,
    '',
    FAILED,
    {
      verdict: 'failed',
      ran: 12,
      skipped: 3,
      why: ['ERROR: test_bad (test.test_x.T.test_bad): OSError: [Errno 30] Read-only file system'],
    },
  ],
  [
    'finds nothing to run',
    0,
    '',
    'test_x ran no tests\n\n== Tests result: NO TEST RUN ==\n',
    { verdict: 'failed', ran: 0, skipped: 0, why: ['no test ran'] },
  ],
  [
    'does not end',
    null,
    'wall-limit',
    'test_a ... ok\n',
    { verdict: 'failed', ran: 0, skipped: 0, why: ['wall-limit'] },
  ],
] as const)('reads a module that %s', (_, exitCode, ending, output, outcome) => {
  expect(readOutcome({ exitCode, ending, output })).toEqual(outcome);
});
