import { readFileSync } from 'node:fs';
import { type Arch, allSyscalls, syscallNumber } from '../../../src/policy/syscalls.js';

/** What the probes have to know of a language. A new one is added here, and then each probe has to have a program in it. */
interface ProbeLanguage {
  /** A whole program: it prints what it found as JSON, in the last line. */
  readonly complete: (body: string) => string;
  /** The command line that runs a program without any confinement. */
  readonly bareArguments: (program: string, args: readonly string[]) => string[];
  /** Says which executable a sandbox takes by default, when it is run with this one's arguments. */
  readonly whereabouts: { readonly command: string; readonly args: readonly string[] };
}

const preamble = readFileSync(new URL('python.py', import.meta.url), 'utf8');
const numbers = Object.fromEntries(
  allSyscalls.flatMap((call) => {
    const number = syscallNumber(call, process.arch as Arch);
    return number === null ? [] : [[call, number]];
  }),
);

export const languages = {
  python: {
    complete: (body) =>
      `${preamble}\nNUMBERS = ${JSON.stringify(numbers)}\n${body}\nprint(json.dumps(found), flush=True)\n`,
    bareArguments: (program, args) => ['-c', program, ...args],
    whereabouts: { command: 'python3', args: ['-c', 'import os, sys; print(os.path.realpath(sys.executable))'] },
  },
} as const satisfies Record<string, ProbeLanguage>;

export type LanguageName = keyof typeof languages;

export const languageNames = Object.keys(languages) as LanguageName[];
