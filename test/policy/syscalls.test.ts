import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  type Arch,
  allSyscalls,
  isSyscall,
  type Syscall,
  syscallName,
  syscallNumber,
} from '../../src/policy/syscalls.js';
import { skipForeign } from '../support/skip.js';

const archs: readonly Arch[] = ['x64', 'arm64'];
const x64Headers = ['/usr/include/x86_64-linux-gnu/asm/unistd_64.h', '/usr/include/asm/unistd_64.h'];
const genericHeader = '/usr/include/asm-generic/unistd.h';

/** `#define __NR_name number` lines; `__NR_name __NR3264_other` is followed, names of 32-bit variants come along. */
function definitions(path: string): Map<string, number> {
  const raw = new Map<string, string>();
  for (const [, name = '', value = ''] of readFileSync(path, 'utf8').matchAll(/^#define __NR(\w+)\s+(\w+)/gm)) {
    raw.set(name, value);
  }
  const numbers = new Map<string, number>();
  for (const [name, value] of raw) {
    const number = Number(raw.get(value.replace(/^__NR/, '')) ?? value);
    if (name.startsWith('_') && Number.isInteger(number)) numbers.set(name.slice(1), number);
  }
  return numbers;
}

describe('the table of system calls', () => {
  it.each(archs)('has no number twice on %s, and finds each by its number', (arch) => {
    const numbers = allSyscalls.map((call) => syscallNumber(call, arch)).filter((number) => number !== null);
    expect(new Set(numbers).size).toBe(numbers.length);
    for (const call of allSyscalls) {
      const number = syscallNumber(call, arch);
      if (number !== null) expect(syscallName(number, arch)).toBe(call);
    }
    expect(syscallName(100_000, arch)).toBeUndefined();
  });

  it('agrees with the kernel header for x64, and lacks none of its calls', (context) => {
    const path = x64Headers.find((path) => existsSync(path));
    if (!path) return skipForeign(context, 'the x64 kernel headers are not installed');
    const defined = definitions(path);
    expect(defined.size).toBeGreaterThan(300);
    for (const [name, number] of defined) expect([name, syscallNumber(name as Syscall, 'x64')]).toEqual([name, number]);
  });

  it('agrees with the generic kernel header for arm64', (context) => {
    if (!existsSync(genericHeader)) return skipForeign(context, 'the kernel headers are not installed');
    const defined = definitions(genericHeader);
    const checked = allSyscalls.filter((call) => defined.has(call));
    expect(checked.length).toBeGreaterThan(290);
    for (const call of checked) expect([call, syscallNumber(call, 'arm64')]).toEqual([call, defined.get(call)]);
  });

  it('knows its own names only', () => {
    expect(isSyscall('statx')).toBe(true);
    for (const name of ['', 'constructor', 'toString', '__proto__', 7, null]) expect(isSyscall(name)).toBe(false);
  });
});
