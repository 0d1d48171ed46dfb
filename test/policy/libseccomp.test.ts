// A second opinion: libseccomp is given the same rules, and its filter has to decide the same.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Choice, Decision, Ruling, Span } from '../../src/policy/decision.js';
import { compileFilter } from '../../src/policy/filter.js';
import { buildPolicy, type Policy } from '../../src/policy/policy.js';
import { type Arch, type Syscall, syscallNumber } from '../../src/policy/syscalls.js';
import { BpfProgram } from '../support/bpf.js';
import { runCommand } from '../support/command.js';
import { skipMissing } from '../support/skip.js';
import { architectures, edges, returnValues } from './oracle.js';

const archs: readonly Arch[] = ['x64', 'arm64'];
const hasLibrary = existsSync('/usr/include/seccomp.h');
let directory = '';
let program = '';

beforeAll(() => {
  if (!hasLibrary) return;
  directory = mkdtempSync(join(tmpdir(), 'pinfold-libseccomp-'));
  program = join(directory, 'libseccomp');
  const source = join(import.meta.dirname, 'libseccomp.c');
  runCommand('gcc', ['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-o', program, source, '-lseccomp']);
});

afterAll(() => {
  if (directory) rmSync(directory, { recursive: true });
});

/** One comparison of libseccomp's: SCMP_CMP_MASKED_EQ. */
interface Comparison {
  readonly argument: number;
  readonly mask: number;
  readonly value: number;
}

interface LibseccompRule {
  readonly call: Syscall;
  readonly ruling: Ruling;
  readonly comparisons: readonly Comparison[];
}

/**
 * The blocks that a span falls into, each a power of two long and aligned to it, so that one masked comparison holds each.
 * libseccomp's own SCMP_CMP_GE and _LE compare all 64 bits of an argument, ours the low 32 (src/policy/decision.ts says why), so
 * that those would differ wherever a high half is set. The mask says the same on both sides, for all arguments there are.
 */
function blocks([first, last]: readonly [number, number]): { value: number; mask: number }[] {
  const found: { value: number; mask: number }[] = [];
  for (let at = first; at <= last; ) {
    let size = 1;
    while (at % (size * 2) === 0 && at + size * 2 - 1 <= last) size *= 2;
    found.push({ value: at, mask: 2 ** 32 - size });
    at += size;
  }
  return found;
}

function comparisonsOf({ argument, mask = 0xffffffff }: Choice, span: Span): (readonly Comparison[])[] {
  const wanted = blocks(typeof span === 'number' ? [span, span] : [span[0], span[1]]);
  return wanted.map((block) => {
    const masked = (block.mask & mask) >>> 0;
    // libseccomp takes no comparison that always holds.
    return masked === 0 ? [] : [{ argument, mask: masked, value: (block.value & masked) >>> 0 }];
  });
}

/** What becomes of a call that no case holds. libseccomp knows one such action for a whole filter. */
function otherwiseOf(decision: Decision): Ruling {
  while (typeof decision === 'object') decision = decision.otherwise;
  return decision;
}

/** A choice that defaults otherwise than its filter says so by one case more, of all values that the others leave. */
function casesOf(choice: Choice, otherwise: Ruling): Choice['cases'] {
  if (choice.otherwise === otherwise) return choice.cases;
  if (choice.mask !== undefined) throw new Error('What is left of masked values is no list of spans');
  const spans = choice.cases.flatMap(({ values }) => values).map((span) => [span].flat() as number[]);
  const left: Span[] = [];
  let next = 0;
  for (const span of spans.toSorted(([a = 0], [b = 0]) => a - b)) {
    if ((span[0] ?? 0) > next) left.push([next, (span[0] ?? 0) - 1]);
    next = (span.at(-1) ?? 0) + 1;
  }
  if (next <= 0xffffffff) left.push([next, 0xffffffff]);
  return [...choice.cases, { values: left, decision: choice.otherwise }];
}

function rulesOf(
  call: Syscall,
  decision: Decision,
  otherwise = otherwiseOf(decision),
  given: readonly Comparison[] = [],
): LibseccompRule[] {
  if (typeof decision === 'string') return [{ call, ruling: decision, comparisons: given }];
  return casesOf(decision, otherwise).flatMap((one) =>
    one.values.flatMap((span) =>
      comparisonsOf(decision, span).flatMap((added) => rulesOf(call, one.decision, otherwise, [...given, ...added])),
    ),
  );
}

/** libseccomp refuses SCMP_ACT_NOTIFY with a number in it: where we return one, it is told to return SCMP_ACT_TRACE with that. */
const NOTIFY = 0x7fc00000;
const TRACE = 0x7ff00000;

function actionOf(value: number): number {
  return (value & 0xffff0000) >>> 0 === NOTIFY ? (TRACE | (value & 0xffff)) >>> 0 : value;
}

interface SecondOpinion {
  readonly filter: BpfProgram;
  /** Calls that this libseccomp doesn't know: it was older than they are. */
  readonly unknown: ReadonlySet<string>;
}

function askLibseccomp(policy: Policy, arch: Arch, otherwise: Ruling): SecondOpinion {
  const hex = (number: number) => number.toString(16);
  const rules = [...policy]
    .filter(([call, { decision }]) => syscallNumber(call, arch) !== null && belongs(decision, otherwise))
    .flatMap(([call, { decision }]) => rulesOf(call, decision))
    // It takes no rule that says what is done anyway.
    .filter(({ ruling }) => ruling !== otherwise);
  const lines = [
    `arch ${arch}`,
    `filter ${hex(actionOf(returnValues[otherwise]))} ${hex(returnValues.kill)}`,
    ...rules.map(({ call, ruling, comparisons }) => {
      const words = comparisons.flatMap(({ argument, mask, value }) => [argument, hex(mask), hex(value)]);
      return ['rule', hex(actionOf(returnValues[ruling])), call, ...words].join(' ');
    }),
  ];
  const { status, stdout, stderr } = spawnSync(program, { input: `${lines.join('\n')}\n`, maxBuffer: 1 << 20 });
  if (status !== 0) throw new Error(`libseccomp: ${stderr}`);
  return { filter: new BpfProgram(stdout), unknown: new Set(stderr.toString().split('\n').filter(Boolean)) };
}

/** A call decided by number alone belongs into any filter; one with a default of its own into that with this default. */
function belongs(decision: Decision, otherwise: Ruling): boolean {
  return typeof decision === 'string' || otherwiseOf(decision) === otherwise;
}

const none = [0n, 0n, 0n, 0n, 0n, 0n];
const every = none.map(() => 0xffffffffffffffffn);
const plainNumbers = [
  ...Array.from({ length: 700 }, (_, number) => number),
  ...Array.from({ length: 700 }, (_, number) => 0x40000000 + number),
  ...[0x3fffffff, 0x7fffffff, 0x80000000, 0xbfffffff, 0xc0000000, 0xfffffffe, 0xffffffff],
];

/** Every number but those of calls that belong into another filter or are newer than libseccomp, with all edges of arguments. */
function* questions(policy: Policy, arch: Arch, otherwise: Ruling, unknown: ReadonlySet<string>) {
  const elsewhere = new Set<number | null>();
  for (const [call, { decision }] of policy) {
    const number = syscallNumber(call, arch);
    if (unknown.has(call) || !belongs(decision, otherwise)) elsewhere.add(number);
    else if (number !== null) for (const args of edges(decision)) yield { number, args };
  }
  // A number of no call is answered by the filter's default, and ours is ENOSYS.
  const isKnown = (number: number) => [...policy.keys()].some((call) => syscallNumber(call, arch) === number);
  for (const number of plainNumbers) {
    if (elsewhere.has(number)) continue;
    const isX32 = arch === 'x64' && number >= 0x40000000 && number < 0xffffffff;
    if (isX32 || isKnown(number) || otherwise === 'ENOSYS') for (const args of [none, every]) yield { number, args };
  }
}

function differences(
  policy: Policy,
  arch: Arch,
  otherwise: Ruling,
): { differing: string[]; asked: number; unknown: number } {
  const { filter, unknown } = askLibseccomp(policy, arch, otherwise);
  const ours = new BpfProgram(compileFilter(policy, arch));
  const differing: string[] = [];
  let asked = 0;
  for (const { number, args } of questions(policy, arch, otherwise, unknown)) {
    for (const architecture of Object.values(architectures)) {
      asked += 1;
      const data = { number, architecture, args };
      const [own, theirs] = [actionOf(ours.run(data).value), filter.run(data).value];
      if (own === theirs) continue;
      differing.push(
        `${number}(${args}) on 0x${architecture.toString(16)}: 0x${own.toString(16)}, not 0x${theirs.toString(16)}`,
      );
    }
  }
  return { differing: differing.slice(0, 10), asked, unknown: unknown.size };
}

describe.each(archs)('libseccomp, for %s', (arch) => {
  for (const network of [false, true]) {
    test(`decides as our filter does, with network ${network}`, (context) => {
      if (!hasLibrary) return skipMissing(context, 'libseccomp and its header are not installed');
      const policy = buildPolicy({ network, allow: [], deny: [] });
      const defaults = new Set(
        [...policy.values()]
          .map(({ decision }) => decision)
          .filter((one) => typeof one === 'object')
          .map(otherwiseOf),
      );
      for (const otherwise of new Set<Ruling>(['ENOSYS', ...defaults])) {
        const { differing, asked, unknown } = differences(policy, arch, otherwise);
        expect(differing, `where the default is ${otherwise}`).toEqual([]);
        expect(asked).toBeGreaterThan(5_000);
        // Calls of Linux 5.17 and later, as the libseccomp of Debian 12 is of that time.
        expect(unknown).toBeLessThan(40);
      }
    });
  }
});
