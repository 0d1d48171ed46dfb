/** One call as the kernel shows it to a filter (struct seccomp_data). */
export interface SeccompData {
  readonly number: number;
  /** AUDIT_ARCH_...: see linux/audit.h */
  readonly architecture: number;
  readonly args: readonly bigint[];
}

export interface FilterResult {
  /** The value returned: SECCOMP_RET_... with its data in the low 16 bits. */
  readonly value: number;
  /** How many instructions were run. */
  readonly steps: number;
}

interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** BPF_MAXINSNS */
const MAX_INSTRUCTIONS = 4096;
const DATA_BYTES = 64;
const ARGUMENTS_OFFSET = 16;

const LD_W_ABS = 0x20;
const ALU_AND_K = 0x54;
const JA = 0x05;
const JEQ_K = 0x15;
const JGT_K = 0x25;
const JGE_K = 0x35;
const JSET_K = 0x45;
const RET_K = 0x06;

const conditions: Readonly<Record<number, (a: number, k: number) => boolean>> = {
  [JEQ_K]: (a, k) => a === k,
  [JGT_K]: (a, k) => a > k,
  [JGE_K]: (a, k) => a >= k,
  [JSET_K]: (a, k) => (a & k) !== 0,
};

/**
 * Classic BPF as seccomp runs it, checked first as the kernel checks it (`bpf_check_classic`, `seccomp_check_filter`):
 * throws where seccomp(2) would answer EINVAL. Knows only the operations that a filter of ours may use.
 */
export class BpfProgram {
  readonly #instructions: readonly Instruction[];

  constructor(bytes: Uint8Array) {
    this.#instructions = decode(bytes);
    check(this.#instructions);
  }

  get length(): number {
    return this.#instructions.length;
  }

  /**
   * All that it compares a number or an argument with. Between two neighbours of these it decides the same for all values, as
   * nothing but a mask on an argument ever changes what is compared: throws where that does not hold.
   */
  get comparedValues(): readonly number[] {
    const compared = new Set<number>();
    for (const [index, { code, k }] of this.#instructions.entries()) {
      const before = this.#instructions[index - 1];
      const masksArgument = before?.code === LD_W_ABS && before.k >= ARGUMENTS_OFFSET;
      if (code === JSET_K || (code === ALU_AND_K && !masksArgument))
        throw new Error(`instruction ${index} looks at single bits`);
      if (code in conditions) compared.add(k);
    }
    return [...compared].sort((a, b) => a - b);
  }

  run(data: SeccompData): FilterResult {
    const words = encodeData(data);
    let accumulator = 0;
    for (let at = 0, steps = 1; ; at += 1, steps += 1) {
      const { code, jt, jf, k } = this.#at(at);
      const condition = conditions[code];
      if (code === RET_K) return { value: k, steps };
      else if (code === LD_W_ABS) accumulator = words.getUint32(k, true);
      else if (code === ALU_AND_K) accumulator = (accumulator & k) >>> 0;
      else if (code === JA) at += k;
      else if (condition) at += condition(accumulator, k) ? jt : jf;
    }
  }

  #at(index: number): Instruction {
    const instruction = this.#instructions[index];
    if (!instruction) throw new Error(`Ran past the program's end, to ${index}`);
    return instruction;
  }
}

function decode(bytes: Uint8Array): Instruction[] {
  if (bytes.length % 8 !== 0) throw new Error(`${bytes.length} bytes are no array of struct sock_filter`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / 8 }, (_, index) => ({
    code: view.getUint16(index * 8, true),
    jt: view.getUint8(index * 8 + 2),
    jf: view.getUint8(index * 8 + 3),
    k: view.getUint32(index * 8 + 4, true),
  }));
}

function check(instructions: readonly Instruction[]): void {
  const { length } = instructions;
  if (length === 0 || length > MAX_INSTRUCTIONS) throw new Error(`A filter of ${length} instructions is refused`);
  for (const [index, { code, jt, jf, k }] of instructions.entries()) {
    const where = `instruction ${index}`;
    if (code === LD_W_ABS && (k % 4 !== 0 || k >= DATA_BYTES)) throw new Error(`${where} loads from ${k}`);
    if (code === JA && index + k + 1 >= length) throw new Error(`${where} jumps past the end`);
    if (code in conditions && index + Math.max(jt, jf) + 1 >= length) throw new Error(`${where} jumps past the end`);
    if (![LD_W_ABS, ALU_AND_K, JA, RET_K].includes(code) && !(code in conditions)) {
      throw new Error(`${where} has the unknown operation 0x${code.toString(16)}`);
    }
  }
  if (instructions.at(-1)?.code !== RET_K) throw new Error('The last instruction does not return');
}

function encodeData({ number, architecture, args }: SeccompData): DataView {
  const view = new DataView(new ArrayBuffer(DATA_BYTES));
  view.setUint32(0, number, true);
  view.setUint32(4, architecture, true);
  for (let index = 0; index < 6; index += 1) {
    view.setBigUint64(16 + index * 8, BigInt.asUintN(64, args[index] ?? 0n), true);
  }
  return view;
}
