import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import type { Refusal as Refused } from '../../src/policy/decision.js';
import { compileFilter } from '../../src/policy/filter.js';
import { buildPolicy } from '../../src/policy/policy.js';
import { type Arch, type Syscall, syscallNumber } from '../../src/policy/syscalls.js';
import { runCommand } from '../support/command.js';
import { skipForeign, skipMissing } from '../support/skip.js';
import { decide, edges, withoutListener } from './oracle.js';

const arch: Arch | undefined = process.arch === 'x64' || process.arch === 'arm64' ? process.arch : undefined;
const policy = buildPolicy({ network: false, allow: [], deny: [] });

const { EPERM, ENOSYS, EINVAL, ENOTTY, EOPNOTSUPP } = constants.errno;
const { SIGSYS } = constants.signals;
const errnos: Readonly<Record<Refused, number>> = {
  EPERM,
  EOPNOTSUPP,
  ENOSYS,
  'ENOSYS, untold': ENOSYS,
  EINVAL,
  ENOTTY,
};
/** Added to the errnos of a marked filter: the kernel itself never answers with such numbers. */
const MARK = 150;
const X32_BIT = 0x40000000;
const GETPID = 39;
const EDGES_ASKED = 60;

const fixtures = join(fileURLToPath(new URL('.', import.meta.url)), '..', 'fixtures');
let directory = '';
let python = '';

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'pinfold-policy-'));
  const found = spawnSync('python3', ['-c', 'import os, sys; print(os.path.realpath(sys.executable))'], {
    encoding: 'utf8',
  });
  python = found.stdout?.trim() ?? '';
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

function needs(context: TestContext): Arch {
  if (!arch) return skipForeign(context, `there is no policy for ${process.arch}`);
  if (!python) return skipMissing(context, 'python3 is not on PATH');
  return arch;
}

interface Question {
  readonly number: number | 'int80';
  readonly args: readonly bigint[];
}

/** One kernel answer: an errno (0: success), or the negative number of the signal that ended the asking process. */
type Answer = number;

function askKernel(filter: Uint8Array | undefined, questions: readonly Question[]): Answer[] {
  const calls = questions.map(({ number, args }) => [number, args.map(String)]);
  const order = filter ? { calls, filter: Buffer.from(filter).toString('base64') } : { calls };
  const { stdout, stderr, status } = spawnSync(python, [join(fixtures, 'ask_kernel.py')], {
    input: JSON.stringify(order),
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`ask_kernel.py ended with ${status}: ${stderr}`);
  return JSON.parse(stdout) as Answer[];
}

interface Refusal extends Question {
  readonly call: Syscall;
  readonly errno: number;
}

/** Every call that is refused with zero arguments, and each ruled call with refused arguments from all its edges. */
function refusals(arch: Arch): Refusal[] {
  return [...policy].flatMap(([call, { decision }]) => {
    const number = syscallNumber(call, arch);
    if (number === null) return [];
    const refused = edges(decision).flatMap((args) => {
      const ruling = decide(policy, call, args);
      return ruling === 'allow' || ruling === 'kill' ? [] : [{ call, number, args, errno: errnos[ruling] }];
    });
    return thinned(refused, EDGES_ASKED);
  });
}

/** At most `count` of the list, evenly spread, always with the first and the last. */
function thinned<T>(list: readonly T[], count: number): readonly T[] {
  if (list.length <= count) return list;
  const step = (list.length - 1) / (count - 1);
  return list.filter((_, index) => Math.floor(index / step) !== Math.floor((index - 1) / step));
}

/** Each errno moved to where no kernel code answers: shows that it was the filter that refused. */
const marked = (filter: Uint8Array): Uint8Array => withoutListener(filter, MARK);

/** What was answered otherwise than expected, readable. */
function surprises(questions: readonly Refusal[], answers: readonly Answer[], added: number): string[] {
  return questions.flatMap(({ call, args, errno }, index) => {
    const answer = answers[index];
    return answer === errno + added ? [] : [`${call}(${args}): ${answer}, not ${errno + added}`];
  });
}

describe('the kernel, asked in a process a call', () => {
  it('refuses what the policy refuses, with exactly its errno', (context) => {
    const asked = refusals(needs(context));
    expect(asked.length).toBeGreaterThan(300);
    expect(surprises(asked, askKernel(withoutListener(compileFilter(policy, needs(context))), asked), 0)).toEqual([]);
  });

  it('refuses because of the filter, not for reasons of its own', (context) => {
    const asked = refusals(needs(context));
    expect(surprises(asked, askKernel(marked(compileFilter(policy, needs(context))), asked), MARK)).toEqual([]);
  });

  it('answers ENOSYS to numbers that no table knows', (context) => {
    const filter = marked(compileFilter(policy, needs(context)));
    const unknown = [500, 1000, 0x3fffffff, 0xffffffff].map((number) => ({ number, args: [] }));
    expect(askKernel(filter, unknown)).toEqual(unknown.map(() => ENOSYS + MARK));
  });

  it('kills a process that calls with the x32 bit', (context) => {
    if (needs(context) !== 'x64') skipForeign(context, 'x32 is of x64 only');
    const asked: Question[] = [{ number: X32_BIT + GETPID, args: [] }];
    expect([[0], [ENOSYS]]).toContainEqual(askKernel(undefined, asked));
    expect(askKernel(compileFilter(policy, 'x64'), asked)).toEqual([-SIGSYS]);
  });

  it('kills a process that calls by the 32-bit entry', (context) => {
    if (needs(context) !== 'x64') skipForeign(context, 'int 0x80 is of x64 only');
    const asked: Question[] = [{ number: 'int80', args: [] }];
    if (askKernel(undefined, asked)[0] !== 0) skipMissing(context, 'this kernel takes no 32-bit calls');
    expect(askKernel(compileFilter(policy, 'x64'), asked)).toEqual([-SIGSYS]);
  });
});

describe('ordinary Python programs', () => {
  it('do the same under the filter as without', (context) => {
    const file = join(directory, 'filter');
    writeFileSync(file, withoutListener(compileFilter(policy, needs(context))));
    const program = [python, join(fixtures, 'ordinary.py')] as const;
    const unconfined = runCommand(program[0], program.slice(1));
    expect(unconfined.split('\n').length).toBeGreaterThan(10);
    expect(runCommand(python, [join(fixtures, 'under_filter.py'), file, ...program])).toBe(unconfined);
  });
});
