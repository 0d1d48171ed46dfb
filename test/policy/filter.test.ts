import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Decision } from '../../src/policy/decision.js';
import { compileFilter } from '../../src/policy/filter.js';
import { groups } from '../../src/policy/groups.js';
import { buildPolicy, type Policy } from '../../src/policy/policy.js';
import { type Arch, allSyscalls, type Syscall, syscallNumber } from '../../src/policy/syscalls.js';
import { BpfProgram } from '../support/bpf.js';
import { architectures, edges, judge, returnValues } from './oracle.js';

const archs: readonly Arch[] = ['x64', 'arm64'];
const noArguments = [0n, 0n, 0n, 0n, 0n, 0n];
const everyBit = noArguments.map(() => 0xffffffffffffffffn);

const numbers = [
  ...Array.from({ length: 601 }, (_, number) => number),
  ...Array.from({ length: 601 }, (_, number) => 0x40000000 + number),
  ...[0x3ffffffe, 0x3fffffff, 0x7fffffff, 0x80000000, 0x80000001, 0xbfffffff, 0xc0000000, 0xfffffffe, 0xffffffff],
];

/** Runs every number with every argument edge, on every architecture; gives back what differs from the policy, and the most steps. */
function disagreements(policy: Policy, arch: Arch): { differing: string[]; steps: number } {
  const program = new BpfProgram(compileFilter(policy, arch));
  const differing: string[] = [];
  let steps = 0;
  for (const [number, args] of cases(policy, arch)) {
    for (const architecture of Object.values(architectures)) {
      const result = program.run({ number, architecture, args });
      const ruling = judge(policy, arch, architecture, number, args);
      if (result.value !== returnValues[ruling]) {
        differing.push(
          `${number}(${args}) on 0x${architecture.toString(16)}: 0x${result.value.toString(16)}, not ${ruling}`,
        );
      }
      steps = Math.max(steps, result.steps);
    }
  }
  return { differing: differing.slice(0, 10), steps };
}

function* cases(policy: Policy, arch: Arch): Generator<[number: number, args: readonly bigint[]]> {
  for (const number of numbers) {
    yield [number, noArguments];
    yield [number, everyBit];
  }
  for (const [call, { decision }] of policy) {
    const number = syscallNumber(call, arch);
    if (number !== null) for (const args of edges(decision)) yield [number, args];
  }
}

describe.each(archs)('the filter for %s', (arch) => {
  it.each([false, true])(
    'decides as the policy says, for every number and argument edge, with network %s',
    (network) => {
      const policy = buildPolicy({ network, allow: [], deny: [] });
      expect(disagreements(policy, arch).differing).toEqual([]);
    },
  );

  // Filter and policy each change their mind at some values only. All those of the policy below 601, and beside the x32 bit,
  // are asked above; here those of the filter are, wherever they lie. So nothing between them is left.
  it.each([false, true])('changes its mind nowhere else, of all 2^32 numbers, with network %s', (network) => {
    const policy = buildPolicy({ network, allow: [], deny: [] });
    const program = new BpfProgram(compileFilter(policy, arch));
    expect(Math.max(...allSyscalls.map((call) => syscallNumber(call, arch) ?? 0))).toBeLessThan(600);
    for (const number of program.comparedValues.flatMap(besides)) {
      for (const args of [noArguments, everyBit])
        expect(agrees(program, policy, arch, number, args), `${number}`).toBe(true);
    }
  });

  it.each([false, true])('nor at any value of an argument that it compares with, with network %s', (network) => {
    const policy = buildPolicy({ network, allow: [], deny: [] });
    const program = new BpfProgram(compileFilter(policy, arch));
    const values = program.comparedValues.flatMap(besides).map(BigInt);
    for (const [call, { decision }] of policy) {
      const number = syscallNumber(call, arch);
      if (number === null || typeof decision === 'string') continue;
      const bases = edges(decision).filter((_, index, { length }) => index % Math.ceil(length / 10) === 0);
      for (const args of bases.flatMap((base) => variations(base, argumentsOf(decision), values))) {
        if (!agrees(program, policy, arch, number, args)) expect.fail(`${call}(${args})`);
      }
    }
  });

  it('looks at nothing but numbers and those arguments', () => {
    const policy = buildPolicy({ network: false, allow: [], deny: [] });
    const program = new BpfProgram(compileFilter(policy, arch));
    for (const [call, { decision }] of policy) {
      const number = syscallNumber(call, arch);
      if (number === null) continue;
      const looked = argumentsOf(decision);
      const others = everyBit.map((bits, index) => (looked.has(index) ? 0n : bits));
      expect(agrees(program, policy, arch, number, others), call).toBe(true);
    }
  });

  it('is short and balanced', () => {
    const policy = buildPolicy({ network: false, allow: [], deny: [] });
    const program = new BpfProgram(compileFilter(policy, arch));
    expect(program.length).toBeLessThanOrEqual(300);
    // 3 for architecture and number, 8 for the tree of some 200 ranges, the rest for the deepest rule and its return.
    expect(disagreements(policy, arch).steps).toBeLessThanOrEqual(20);
  });

  it('decides about calls without argument rules by the number alone, so that the kernel can cache them', () => {
    const policy = buildPolicy({ network: false, allow: [], deny: [] });
    const program = new BpfProgram(compileFilter(policy, arch));
    const number = syscallNumber('read', arch) as number;
    expect(program.run({ number, architecture: architectures[arch], args: noArguments }).steps).toBeLessThanOrEqual(14);
  });

  it('agrees with the policy for whatever a caller may allow and deny', () => {
    const openable = groups.filter(({ ruling, guarantee }) => ruling !== 'allow' && !guarantee);
    const closable = [...buildPolicy({ network: true, allow: [], deny: [] }).keys()].filter(isDeniable);
    const changes = fc.record({
      network: fc.boolean(),
      allow: fc.subarray(openable.flatMap(({ calls }) => calls)),
      deny: fc.subarray(closable),
    });
    fc.assert(
      fc.property(changes, ({ network, allow, deny }) => {
        const policy = buildPolicy({ network, allow, deny: deny.filter((call) => !allow.includes(call)) });
        const { differing, steps } = sampled(policy, arch);
        expect(differing).toEqual([]);
        expect(steps).toBeLessThanOrEqual(24);
      }),
      { numRuns: 40 },
    );
  });
});

function agrees(program: BpfProgram, policy: Policy, arch: Arch, number: number, args: readonly bigint[]): boolean {
  const architecture = architectures[arch];
  return (
    program.run({ number, architecture, args }).value === returnValues[judge(policy, arch, architecture, number, args)]
  );
}

/** A value and its neighbours, of 32 bits. */
function besides(value: number): number[] {
  return [value - 1, value, value + 1].map((near) => near >>> 0);
}

function argumentsOf(decision: Decision, found = new Set<number>()): ReadonlySet<number> {
  if (typeof decision === 'string') return found;
  found.add(decision.argument);
  for (const inner of [decision.otherwise, ...decision.cases.map((one) => one.decision)]) argumentsOf(inner, found);
  return found;
}

/** `base` with each of the arguments replaced by each of the values, with an empty high half and a full one. */
function variations(base: readonly bigint[], replaced: ReadonlySet<number>, values: readonly bigint[]): bigint[][] {
  return [...replaced].flatMap((index) =>
    values.flatMap((value) => [base.with(index, value), base.with(index, value | (0xffffffffn << 32n))]),
  );
}

/** Every call once with no arguments: the edges of rules don't move when a caller opens or denies whole calls. */
function sampled(policy: Policy, arch: Arch): { differing: Syscall[]; steps: number } {
  const program = new BpfProgram(compileFilter(policy, arch));
  let steps = 0;
  const differing = allSyscalls.filter((call) => {
    const number = syscallNumber(call, arch);
    if (number === null) return false;
    const architecture = architectures[arch];
    const result = program.run({ number, architecture, args: everyBit });
    steps = Math.max(steps, result.steps);
    return result.value !== returnValues[judge(policy, arch, architecture, number, everyBit)];
  });
  return { differing, steps };
}

function isDeniable(call: Syscall): boolean {
  try {
    buildPolicy({ network: false, allow: [], deny: [call] });
    return true;
  } catch {
    return false;
  }
}

describe('the longest filter that can be made', () => {
  it('keeps below the 4,096 instructions that the kernel takes', () => {
    // No two neighbours share a fate: as many ranges as there are calls.
    const policy: Policy = new Map(
      allSyscalls.map((call, index) => [call, { decision: index % 2 ? 'allow' : 'EPERM', reason: '' }] as const),
    );
    expect(new BpfProgram(compileFilter(policy, 'x64')).length).toBeLessThan(1000);
    expect(disagreements(policy, 'x64').differing).toEqual([]);
  });
});
