import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { SandboxError, type SandboxErrorCode } from '../../src/errors.js';
import type { SandboxEvents } from '../../src/events.js';
import { GUARANTEES } from '../../src/isolation.js';
import { completeLimits, LIMIT_NAMES } from '../../src/limits.js';
import type { RunOptions, SandboxOptions } from '../../src/options.js';
import { REASONS } from '../../src/protocol.js';
import type { RunResult } from '../../src/result.js';
import { packageRoot } from '../support/tree.js';
import { readPage, tableRows } from './markdown.js';

const read = (path: string): string => readFileSync(join(packageRoot, path), 'utf8');
const unquoted = (cell: string | undefined): string => (cell ?? '').replaceAll('`', '').replaceAll("'", '');

describe('docs/errors.md', () => {
  const page = readPage('docs/errors.md');

  test('has every code of SandboxError, and no other', () => {
    const codes: Record<SandboxErrorCode, true> = {
      'invalid-option': true,
      'unsupported-platform': true,
      'isolation-unavailable': true,
      'interpreter-not-found': true,
      'queue-full': true,
      closed: true,
      'supervisor-lost': true,
      'spawn-failed': true,
      'resources-exhausted': true,
    };
    expect(new SandboxError('closed', '')).toBeInstanceOf(Error);
    expect(
      tableRows(page, 'code')
        .map(([code]) => unquoted(code))
        .sort(),
    ).toEqual(Object.keys(codes).sort());
  });

  test('has every reason, and no other', () => {
    const named = tableRows(page, '`reason`').flatMap(([reasons]) => unquoted(reasons).split(', '));
    expect(named.sort()).toEqual([...REASONS].sort());
  });
});

describe('docs/limits.md', () => {
  const rows = tableRows(readPage('docs/limits.md'), 'limit');

  test('tells each limit twice: what it bounds, and how it is kept', () => {
    expect(rows.map(([name]) => unquoted(name)).sort()).toEqual([...LIMIT_NAMES, ...LIMIT_NAMES].sort());
  });

  test('has the defaults that count', () => {
    const limits = completeLimits({}, {});
    const told = rows.slice(0, LIMIT_NAMES.length).map(([name, value]) => [unquoted(name), defaultIn(unquoted(value))]);
    expect(Object.fromEntries(told)).toEqual({ ...limits, cpuMs: '= wallMs' });
    expect(limits.cpuMs).toBe(limits.wallMs);
  });
});

describe('docs/options.md', () => {
  const page = readPage('docs/options.md');
  const ofSandbox: Record<keyof SandboxOptions, true> = {
    language: true,
    executable: true,
    preload: true,
    concurrency: true,
    maxQueue: true,
    warm: true,
    limits: true,
    network: true,
    mounts: true,
    env: true,
    syscalls: true,
    require: true,
  };
  const ofRun: Record<keyof RunOptions, true> = {
    wallMs: true,
    cpuMs: true,
    memoryBytes: true,
    processes: true,
    openFiles: true,
    outputBytes: true,
    scratchBytes: true,
    stdin: true,
    args: true,
    env: true,
    files: true,
    collect: true,
    input: true,
    output: true,
    signal: true,
    priority: true,
    onStdout: true,
    onStderr: true,
    onOutputLimit: true,
    encoding: true,
  };
  const ofResult: Record<keyof RunResult, true> = {
    ok: true,
    reason: true,
    exitCode: true,
    signalName: true,
    stdout: true,
    stderr: true,
    stdoutTruncated: true,
    stderrTruncated: true,
    files: true,
    skipped: true,
    value: true,
    usage: true,
    denials: true,
    isolation: true,
  };
  const events: Record<keyof SandboxEvents, true> = { queued: true, start: true, end: true, zygote: true, error: true };

  // That these lists are those of the code is for the compiler to say.
  test.for([
    ['sandbox option', ofSandbox],
    ['run option', ofRun],
    ['result', ofResult],
    ['event', events],
  ] as const)('has each %s, and no other', ([heading, names]) => {
    const told = tableRows(page, heading).flatMap(([cell]) => unquoted(cell).split(', '));
    expect(told.sort()).toEqual(Object.keys(names).sort());
  });
});

describe('SECURITY.md', () => {
  test('has every guarantee in its order', () => {
    expect(tableRows(readPage('SECURITY.md'), 'guarantee').map(([name]) => name)).toEqual([...GUARANTEES]);
  });
});

describe('docs/architecture.md', () => {
  const lists = [
    ['root_steps', 'native/supervisor/zygote.c'],
    ['enter_as_init', 'native/library/zygote.c'],
    ['enter_as_job', 'native/library/job.c'],
    ['seal', 'native/library/job.c'],
  ] as const;
  const rows = tableRows(readPage('docs/architecture.md'), '');
  const told = rows.map(([, name = '']) => /^`([a-z-]+)`/.exec(name)?.[1]).filter((name) => name !== undefined);

  test('has the steps of enter and seal as they are in the code', () => {
    expect(told).toEqual(lists.flatMap(([list, file]) => stepNames(list, file)));
  });
});

/** The names of a list of steps in C, in its order. */
function stepNames(list: string, file: string): string[] {
  const names = new Map(
    [...read('native/confine/steps.h').matchAll(/X\((\w+), "([\w-]+)"\)/g)].map(([, id = '', name = '']) => [id, name]),
  );
  const [, body] = new RegExp(`\\b${list}\\[\\] = \\{([^;]*)\\};`).exec(read(file)) ?? [];
  if (body === undefined) throw new Error(`${file} has no list ${list}`);
  return [...body.matchAll(/\{STEP_(\w+),/g)].map(([, id = '']) => names.get(id) ?? `unknown ${id}`);
}

function defaultIn(text: string): string | number {
  const [, number, unit] = /^([\d,]+)(MiB)?$/.exec(text) ?? [];
  if (number === undefined) return text;
  return Number(number.replaceAll(',', '')) * (unit ? 2 ** 20 : 1);
}
