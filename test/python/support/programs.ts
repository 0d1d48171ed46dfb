import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Interpreter } from './interpreters.js';

/** A small program, and what it is given. */
export interface Program {
  readonly name: string;
  readonly code: Uint8Array;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
}

const DIRECTORY = join(import.meta.dirname, '../../fixtures/python/programs');
const ENVIRONMENT = { LANG: 'C.UTF-8', HOME: '/work' };

const GIVEN: Readonly<Record<string, Partial<Program>>> = {
  arguments: { args: ['--number', 'x', '', '-', 'caf\u00e9', 'a b\nc'] },
  environment: { env: { HOME: '/work', EMPTY: '', 'odd name': 'caf\u00e9 = \n' } },
  input: { stdin: 'Ada\nsecond\nthird\n' },
  timezone: { env: { TZ: 'America/New_York' } },
};

export function readPrograms(): Program[] {
  return readdirSync(DIRECTORY)
    .filter((file) => file.endsWith('.py'))
    .map((file) => {
      const name = basename(file, '.py');
      const given = GIVEN[name];
      return {
        args: [],
        stdin: '',
        ...given,
        name,
        code: readFileSync(join(DIRECTORY, file)),
        env: { ...ENVIRONMENT, ...given?.env },
      };
    });
}

/** Why stderr can't be the same, or undefined: everything has to be. */
export function knownDifference(name: string, { version }: Interpreter): string | undefined {
  const [, minor] = version;
  if (['exit_huge', 'exit_negative_huge', 'exit_bad'].includes(name) && minor >= 12) {
    return 'CPython 3.12 and 3.13 forget to clear an error here, and show it when threads are joined';
  }
  return undefined;
}
