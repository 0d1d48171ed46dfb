import { spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import type { Answer, Ask } from '../../../src/languages/language.js';

/** Asks as the supervisor does, and counts. */
export function countingAsk(): { ask: Ask; asked: string[][] } {
  const asked: string[][] = [];
  const ask = async (argv: readonly string[]): Promise<Answer> => {
    asked.push([...argv]);
    const [program = '', ...args] = argv;
    const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
    const code = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
    const errno = error ? (constants.errno[code as keyof typeof constants.errno] ?? -1) : 0;
    return { errno, status, stdout: stdout ?? '', stderr: stderr ?? '' };
  };
  return { ask, asked };
}
