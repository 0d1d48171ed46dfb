import type { Choice, Decision, Ruling, Span } from './decision.js';
import type { Policy } from './policy.js';
import { type Arch, syscallNumber } from './syscalls.js';

/** struct seccomp_data: u32 number, u32 architecture, u64 instruction pointer, six u64 arguments. */
const NUMBER_OFFSET = 0;
const ARCHITECTURE_OFFSET = 4;
const ARGUMENTS_OFFSET = 16;
const ARGUMENT_BYTES = 8;

/** `AUDIT_ARCH_...`: what the kernel calls the architecture of a call, not of the machine. */
const AUDIT_ARCH: Readonly<Record<Arch, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 };

/** All with x32's bit, and beyond. Not -1, which is no call at all: what a tracer writes to have a call skipped. */
const X32_NUMBERS: Span = [0x40000000, 0xfffffffe];
const LAST_VALUE = 0xffffffff;

const INSTRUCTION_BYTES = 8;
/** BPF_LD | BPF_W | BPF_ABS and so on; see linux/bpf_common.h. */
const LOAD = 0x20;
const AND = 0x54;
const JUMP = 0x05;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_AT_LEAST = 0x35;
const RETURN = 0x06;

const RET_KILL_PROCESS = 0x80000000;
const RET_ERRNO = 0x00050000;
/** Tells pid 1, which has the call refused with the errno that it finds in the low bits: the kernel itself doesn't look at them. */
const RET_USER_NOTIF = 0x7fc00000;
const RET_ALLOW = 0x7fff0000;
/** The same numbers on both architectures. None is 0: a refusal with errno 0 would look like success to the job. */
const RETURN_VALUES: Readonly<Record<Ruling, number>> = {
  allow: RET_ALLOW,
  kill: RET_KILL_PROCESS,
  EPERM: RET_USER_NOTIF | 1,
  EOPNOTSUPP: RET_USER_NOTIF | 95,
  ENOSYS: RET_USER_NOTIF | 38,
  'ENOSYS, untold': RET_ERRNO | 38,
  EINVAL: RET_ERRNO | 22,
  ENOTTY: RET_ERRNO | 25,
};

/** A conditional jump's offsets have 8 bits. */
const NEAR = 0xff;

/**
 * Compiles the policy into an array of `struct sock_filter` (8 bytes each, little endian) for seccomp(2).
 *
 * A call of a foreign architecture, or of x32, kills the process; a number that the table doesn't know is answered with
 * ENOSYS. Numbers are looked up in a balanced tree over ranges, arguments in further trees below it.
 */
export function compileFilter(policy: Policy, arch: Arch): Uint8Array {
  const code = new BackwardCode();
  const byNumber = emitSearch(code, NUMBER_OFFSET, undefined, rangesOf(numberCases(policy, arch), 'ENOSYS'));
  code.branch(JUMP_IF_EQUAL, AUDIT_ARCH[arch], byNumber, 'kill');
  code.push(LOAD, ARCHITECTURE_OFFSET);
  return code.toBytes();
}

/** A stretch of values up to the next range's first, or to the last value of all. */
interface Range {
  readonly first: number;
  readonly decision: Decision;
}

function numberCases(policy: Policy, arch: Arch): Choice['cases'] {
  const cases: { values: Span[]; decision: Decision }[] = [];
  for (const [call, { decision }] of policy) {
    const number = syscallNumber(call, arch);
    if (number !== null) cases.push({ values: [number], decision });
  }
  if (arch === 'x64') cases.push({ values: [X32_NUMBERS], decision: 'kill' });
  return cases;
}

/** All values from 0 to the last, without holes or overlaps, in order; neighbours with the same fate are one. */
function rangesOf(cases: Choice['cases'], otherwise: Decision): Range[] {
  const spans = cases.flatMap(({ values, decision }) => values.map((span) => ({ ...bounds(span), decision })));
  spans.sort((a, b) => a.first - b.first);
  const ranges: Range[] = [];
  const add = (first: number, decision: Decision): void => {
    if (ranges.at(-1)?.decision !== decision) ranges.push({ first, decision });
  };
  let next = 0;
  for (const { first, last, decision } of spans) {
    if (first > next) add(next, otherwise);
    add(first, decision);
    next = last + 1;
  }
  if (next <= LAST_VALUE) add(next, otherwise);
  return ranges;
}

function bounds(span: Span): { first: number; last: number } {
  return typeof span === 'number' ? { first: span, last: span } : { first: span[0], last: span[1] };
}

/** Emits the look-up of the value at `offset`; gives back where it starts, or the ruling where there is nothing to look up. */
function emitSearch(code: BackwardCode, offset: number, mask: number | undefined, ranges: readonly Range[]): Target {
  const tree = emitTree(code, ranges);
  if (ranges.length === 1) return tree;
  if (mask !== undefined) code.push(AND, mask);
  return code.push(LOAD, offset);
}

/** What was emitted last is the tree's root, so that code put before it runs into it. */
function emitTree(code: BackwardCode, ranges: readonly Range[]): Target {
  const middle = ranges[ranges.length >> 1] as Range;
  if (ranges.length === 1) return emitDecision(code, middle.decision);
  const high = emitTree(code, ranges.slice(ranges.length >> 1));
  const low = emitTree(code, ranges.slice(0, ranges.length >> 1));
  return code.branch(JUMP_IF_AT_LEAST, middle.first, high, low);
}

function emitDecision(code: BackwardCode, decision: Decision): Target {
  if (typeof decision === 'string') return decision;
  const { argument, mask, cases, otherwise } = decision;
  return emitSearch(code, ARGUMENTS_OFFSET + argument * ARGUMENT_BYTES, mask, rangesOf(cases, otherwise));
}

/** Where a jump goes: to an instruction emitted before, or to any that returns this ruling. */
type Target = number | Ruling;

interface Instruction {
  readonly operation: number;
  readonly ifTrue: number;
  readonly ifFalse: number;
  readonly operand: number;
}

/**
 * A program written from its end to its beginning: jumps only go forward, so that whatever one could go to is already
 * there, and the distance known, when the jump is written. Places are counted from the end.
 */
class BackwardCode {
  readonly #instructions: Instruction[] = [];
  readonly #returns = new Map<Ruling, number>();

  push(operation: number, operand: number, ifTrue = 0, ifFalse = 0): number {
    return this.#instructions.push({ operation, operand, ifTrue, ifFalse }) - 1;
  }

  branch(operation: number, operand: number, whenTrue: Target, whenFalse: Target): number {
    const falsePlace = this.#within(whenFalse);
    const truePlace = this.#within(whenTrue);
    const here = this.#instructions.length;
    return this.push(operation, operand, here - truePlace - 1, here - falsePlace - 1);
  }

  toBytes(): Uint8Array {
    const bytes = new Uint8Array(this.#instructions.length * INSTRUCTION_BYTES);
    const view = new DataView(bytes.buffer);
    for (const [index, { operation, ifTrue, ifFalse, operand }] of this.#instructions.toReversed().entries()) {
      const offset = index * INSTRUCTION_BYTES;
      view.setUint16(offset, operation, true);
      view.setUint8(offset + 2, ifTrue);
      view.setUint8(offset + 3, ifFalse);
      view.setUint32(offset + 4, operand, true);
    }
    return bytes;
  }

  /** A place in reach of the next branch: the target, or a copy of its return, or a long jump to it, put here. */
  #within(target: Target): number {
    const place = typeof target === 'number' ? target : this.#returns.get(target);
    const here = this.#instructions.length;
    if (place !== undefined && here - place < NEAR) return place;
    if (typeof target === 'number') return this.push(JUMP, here - target - 1);
    const copy = this.push(RETURN, RETURN_VALUES[target]);
    this.#returns.set(target, copy);
    return copy;
  }
}
