import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { prebuildDirectory } from '../../native/prebuild.mjs';
import { hasCommand, runCommand } from '../support/command.js';
import { skipMissing } from '../support/skip.js';
import { packageRoot, temporaryDirectory } from '../support/tree.js';

const library = join(prebuildDirectory(), 'pinfold.node');
const supervisor = join(prebuildDirectory(), 'pinfold-supervisor');
const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string };

const caller = `
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv) {
  void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW) : 0;
  if (!library) return fprintf(stderr, "%s\\n", dlerror()), 1;
  const char *(*version)(void) = (const char *(*)(void))dlsym(library, "pinfold_version");
  if (!version) return fprintf(stderr, "%s\\n", dlerror()), 2;
  return puts(version()) < 0;
}
`;

/** How the program tells which C library it runs on: its dynamic linker. */
const linkers = { gcc: /ld-linux/, 'musl-gcc': /ld-musl/ } as const;

describe('the native library', () => {
  for (const compiler of ['gcc', 'musl-gcc'] as const) {
    test(`loads into a program built by ${compiler} and tells its version`, (context) => {
      if (!hasCommand(compiler)) return skipMissing(context, `no ${compiler}`);
      const directory = temporaryDirectory();
      const [source, program] = [join(directory, 'caller.c'), join(directory, 'caller')];
      writeFileSync(source, caller);
      runCommand(compiler, ['-Wall', '-Werror', '-o', program, source, ...(compiler === 'gcc' ? ['-ldl'] : [])]);
      expect(readFileSync(program, 'latin1')).toMatch(linkers[compiler]);
      expect(runCommand(program, [library])).toBe(`${version}\n`);
    });
  }

  test('needs no other library, and leaves nothing open but weak references', (context) => {
    if (!hasCommand('readelf')) return skipMissing(context, 'no readelf');
    const dynamic = runCommand('readelf', ['--dynamic', '--wide', library]);
    expect(dynamic).toMatch(/\(SONAME\)/);
    expect(dynamic).not.toMatch(/\(NEEDED\)|\(RPATH\)|\(RUNPATH\)|\(TEXTREL\)/);
    expect(dynamic).toMatch(/NODELETE/);
    const symbols = runCommand('readelf', ['--dyn-syms', '--wide', library]).split('\n');
    expect(symbols.some((line) => / FUNC +GLOBAL +DEFAULT +\d+ pinfold_version$/.test(line))).toBe(true);
    expect(symbols.filter((line) => / GLOBAL +DEFAULT +UND /.test(line))).toEqual([]);
  });
});

describe('the supervisor', () => {
  test('is a static executable without a dynamic linker', (context) => {
    if (!hasCommand('readelf')) return skipMissing(context, 'no readelf');
    const headers = runCommand('readelf', ['--program-headers', '--wide', supervisor]);
    expect(headers).toMatch(/LOAD/);
    expect(headers).not.toMatch(/INTERP|NEEDED/);
  });
});

test.each(['pinfold.node', 'pinfold-supervisor'])('%s has no executable stack and no writable code', (name) => {
  const headers = programHeaders(readFileSync(join(prebuildDirectory(), name)));
  const [executable, writable, load, stack] = [1, 2, 1, 0x6474e551];
  const loads = headers.filter(({ type }) => type === load);
  expect(loads.length).toBeGreaterThan(0);
  for (const { flags } of loads) expect(flags & (executable | writable)).not.toBe(executable | writable);
  const stacks = headers.filter(({ type }) => type === stack);
  expect(stacks.map(({ flags }) => flags & executable)).toEqual([0]);
});

/** The program headers of a 64-bit little-endian ELF file. */
function programHeaders(elf: Buffer): { type: number; flags: number }[] {
  const start = Number(elf.readBigUInt64LE(0x20));
  const [size, count] = [elf.readUInt16LE(0x36), elf.readUInt16LE(0x38)];
  return Array.from({ length: count }, (_, index) => {
    const at = start + index * size;
    return { type: elf.readUInt32LE(at), flags: elf.readUInt32LE(at + 4) };
  });
}
