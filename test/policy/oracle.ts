import type { Choice, Decision, Ruling, Span } from '../../src/policy/decision.js';
import type { Policy } from '../../src/policy/policy.js';
import { type Arch, allSyscalls, type Syscall, syscallNumber } from '../../src/policy/syscalls.js';

/** AUDIT_ARCH_... of linux/audit.h, for the two that jobs run on and for some that they don't. */
export const architectures = {
  x64: 0xc000003e,
  arm64: 0xc00000b7,
  i386: 0x40000003,
  arm: 0x40000028,
  riscv64: 0xc00000f3,
  none: 0,
} as const;

/** The policy told from its data, one call at a time, without trees or ranges: what a compiled filter has to agree with. */
export function judge(
  policy: Policy,
  arch: Arch,
  architecture: number,
  number: number,
  args: readonly bigint[],
): Ruling {
  if (architecture !== architectures[arch]) return 'kill';
  if (arch === 'x64' && number >= 0x40000000 && number !== 0xffffffff) return 'kill';
  const call = allSyscalls.find((name) => syscallNumber(name, arch) === number);
  return call === undefined ? 'ENOSYS' : decide(policy, call, args);
}

/** Filter return values by ruling: linux/seccomp.h and asm-generic/errno.h. Those that are told: SECCOMP_RET_USER_NOTIF. */
export const returnValues: Readonly<Record<Ruling, number>> = {
  allow: 0x7fff0000,
  kill: 0x80000000,
  EPERM: 0x7fc00001,
  EOPNOTSUPP: 0x7fc0005f,
  ENOSYS: 0x7fc00026,
  'ENOSYS, untold': 0x00050026,
  EINVAL: 0x00050016,
  ENOTTY: 0x00050019,
};

/** BPF_RET | BPF_K */
const RETURN = 0x06;
const RET_ERRNO = 0x0005;
const RET_USER_NOTIF = 0x7fc0;

/** The same filter for a process without a listener, as a job gets it where the kernel gives none. `added` goes to each errno, or `to` those. */
export function withoutListener(filter: Uint8Array, added = 0, to?: readonly number[]): Uint8Array {
  const copy = filter.slice();
  const view = new DataView(copy.buffer);
  for (let at = 0; at < copy.length; at += 8) {
    const action = view.getUint16(at + 6, true);
    if (view.getUint16(at, true) !== RETURN || (action !== RET_ERRNO && action !== RET_USER_NOTIF)) continue;
    view.setUint16(at + 6, RET_ERRNO, true);
    const errno = view.getUint16(at + 4, true);
    if (to?.includes(errno) ?? true) view.setUint16(at + 4, errno + added, true);
  }
  return copy;
}

export function decide(policy: Policy, call: Syscall, args: readonly bigint[]): Ruling {
  let decision: Decision = policy.get(call)?.decision ?? 'ENOSYS';
  while (typeof decision === 'object') decision = choose(decision, args);
  return decision;
}

function choose(choice: Choice, args: readonly bigint[]): Decision {
  const low = Number(BigInt.asUintN(32, args[choice.argument] ?? 0n));
  const value = choice.mask === undefined ? low : (low & choice.mask) >>> 0;
  for (const { values, decision } of choice.cases) if (values.some((span) => holds(span, value))) return decision;
  return choice.otherwise;
}

function holds(span: Span, value: number): boolean {
  return typeof span === 'number' ? span === value : span[0] <= value && value <= span[1];
}

/**
 * Argument lists at and beside every edge of what decides about the call, with high halves zero and set: along each way through
 * its choices all edges, and across the choices that a way passes by, those of the cases. All edges of three arguments together
 * would be millions.
 */
export function edges(decision: Decision): bigint[][] {
  return [...edgesAlong(decision, [0n, 0n, 0n, 0n, 0n, 0n]), ...edgesAcross(decision)];
}

const extremes = [0n, 1n, 0x7fffffffn, 0x80000000n, 0xffffffffn];
const highHalves = [0n, 1n << 32n, 0xffffffffn << 32n];

function edgesAlong(decision: Decision, args: readonly bigint[]): bigint[][] {
  if (typeof decision === 'string') return [[...args]];
  const lows = new Set([...extremes, ...caseEdges(decision)]);
  for (let bit = 0; bit < 32; bit += 1) {
    lows.add(1n << BigInt(bit));
    if (decision.mask !== undefined) lows.add(low32(decision.mask & ~(1 << bit)));
  }
  return [...lows].flatMap((low) =>
    highHalves.flatMap((high) => {
      const list = args.with(decision.argument, high | low);
      return edgesAlong(choose(decision, list), list);
    }),
  );
}

function edgesAcross(decision: Decision): bigint[][] {
  let lists: bigint[][] = [[0n, 0n, 0n, 0n, 0n, 0n]];
  for (const [argument, values] of edgesByArgument(decision)) {
    lists = lists.flatMap((list) => [...values].map((value) => list.with(argument, value)));
  }
  return lists;
}

function edgesByArgument(decision: Decision, found = new Map<number, Set<bigint>>()): Map<number, Set<bigint>> {
  if (typeof decision === 'string') return found;
  found.set(decision.argument, new Set([...(found.get(decision.argument) ?? []), ...caseEdges(decision)]));
  for (const { decision: inner } of decision.cases) edgesByArgument(inner, found);
  edgesByArgument(decision.otherwise, found);
  return found;
}

function caseEdges({ cases }: Choice): bigint[] {
  const spans = cases.flatMap(({ values }) => values);
  return spans.flatMap((span) => [span].flat().flatMap((edge) => [-1, 0, 1].map((by) => low32(edge + by))));
}

function low32(value: number): bigint {
  return BigInt.asUintN(32, BigInt(value));
}
