import { shownArguments } from './policy/arguments.js';
import { type Arch, syscallName } from './policy/syscalls.js';
import type { RefusedCall } from './protocol.js';

/** A system call that was refused, as the kernel saw it. */
export interface Denial {
  /** Its name; `syscall 1234` where there is none for that number; `others` for numbers past all that there are. */
  syscall: string;
  count: number;
  /**
   * What was wanted, of calls that say so by their arguments: `['AF_INET', 'SOCK_STREAM']`, `['CLONE_NEWUSER']`, a path.
   * Calls with other arguments are counted apart. Texts are the job's own words (control characters escaped), and were read
   * beside the call: they prove nothing. Missing where a job was refused so much that only numbers were counted any more.
   */
  args?: string[];
}

/** The supervisor's count of all numbers that are too large for its table. */
const OTHER_NUMBERS = 0xffff_ffff;

export function describeDenials(calls: readonly RefusedCall[], arch: Arch): Denial[] {
  return calls.map((call) => describe(call, arch));
}

function describe({ number, count, values, text }: RefusedCall, arch: Arch): Denial {
  const name = syscallName(number, arch);
  const syscall = name ?? (number === OTHER_NUMBERS ? 'others' : `syscall ${number}`);
  const shown = name === undefined || values.length === 0 ? undefined : shownArguments[name];
  if (!shown) return { syscall, count };
  const args = (shown.values ?? []).map((item) => item.name(Number(BigInt.asUintN(32, values[item.argument] ?? 0n))));
  // A job can keep its memory from being read: then there is nothing to show.
  if (shown.text && text.byteLength > 0) args.push(shown.text.name(text));
  return { syscall, count, args };
}
