import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { packageRoot } from '../support/tree.js';
import { typeFaultsIn } from './types.js';

const demo = join(packageRoot, 'examples/demo');
const urlOf = (name: string): string => pathToFileURL(join(demo, name)).href;

/** Loaded when the tests run, since the demo imports the package as it is built. */
const load = async <T>(name: string): Promise<T> => (await import(urlOf(name))) as T;

interface Output {
  readonly status: number | null;
  readonly text: string;
}

function runDemo(environment: Record<string, string> = {}, ...options: string[]): Output {
  const env = { ...process.env, ...environment };
  const { status, stdout, stderr } = spawnSync(process.execPath, [...options, join(demo, 'main.mjs')], {
    encoding: 'utf8',
    env,
  });
  return { status, text: stdout + stderr };
}

describe('npm run demo', () => {
  let output: Output;
  beforeAll(() => {
    output = runDemo();
  });

  test('ends as expected, program by program', () => {
    expect(output.text.match(/^✗.*\n.*/gm) ?? []).toEqual([]);
    expect(output.text).toMatch(/\n(\d+) of \1 programs ended as expected, in [\d.]+ s\.\n$/);
    expect(output.status).toBe(0);
  });

  test('runs at least a dozen ordinary programs and half a dozen hostile ones, and tells what is enforced', () => {
    const [, ordinary = '', hostile = '', report = ''] =
      /\nOrdinary programs.*\n([\s\S]*)\nHostile programs\n([\s\S]*)\nWhat is enforced here\n([\s\S]*)$/.exec(
        output.text,
      ) ?? [];
    expect(ordinary.match(/^✓/gm)?.length).toBeGreaterThanOrEqual(12);
    expect(hostile.match(/^✓/gm)?.length).toBeGreaterThanOrEqual(6);
    expect(report).toMatch(/^ {2}filesystem {2}enforced {2}/);
  });

  test('writes plain lines of at most 100 columns into a pipe', () => {
    expect([...output.text].filter((character) => character !== '\n' && /\p{Cc}/u.test(character))).toEqual([]);
    expect(output.text.split('\n').filter((line) => [...line].length > 100)).toEqual([]);
  });

  test('fails where one outcome is not the expected one', () => {
    const spoil = `import { ordinaryPrograms } from '${urlOf('ordinary.mjs')}'; ordinaryPrograms[0].expect.exitCode = 3;`;
    const { status, text } = runDemo({}, '--import', `data:text/javascript,${encodeURIComponent(spoil)}`);
    expect(text).toMatch(/^✗ json\.tool .*\n {2}the exit code is 0, not 3\n/m);
    expect(status).toBe(1);
  });

  test('fails in one sentence where there is no interpreter', () => {
    const { status, text } = runDemo({ PATH: '/nowhere' });
    expect(text).toMatch(/^interpreter-not-found: No CPython .*\n$/m);
    expect(text).not.toContain('    at ');
    expect(status).toBe(1);
  });
});

describe('the code of the demo', () => {
  test('fits the types', () => {
    expect(typeFaultsIn([join(demo, 'main.mjs')])).toEqual([]);
  });
});

interface Expectation {
  readonly [key: string]: unknown;
}

describe('an outcome', () => {
  const good = {
    reason: 'exited',
    exitCode: 0,
    signalName: null,
    stdout: Buffer.from('1\n'),
    stderr: Buffer.from(''),
    stdoutTruncated: false,
    usage: { wallMs: 5, processesPeak: 2 },
  };
  const fails = () => {
    throw new Error('no JSON');
  };

  const cases: readonly (readonly [string, Expectation, object, RegExp | undefined])[] = [
    ['as expected', { reason: 'exited', exitCode: 0, stdout: '1\n' }, good, undefined],
    ['that fits an expression and a check', { reason: 'exited', stdout: /^\d$/m, bytes: () => true }, good, undefined],
    ['with another reason', { reason: 'signaled' }, good, /^the reason is exited, not signaled$/],
    ['with another exit code', { reason: 'exited', exitCode: 1 }, good, /^the exit code is 0, not 1$/],
    ['with another output', { reason: 'exited', stdout: '2\n' }, good, /^stdout is not as expected: "1\\n"$/],
    ['whose output a check refuses', { reason: 'exited', bytes: () => false }, good, /^stdout is not as expected/],
    ['whose output breaks a check', { reason: 'exited', stdout: fails }, good, /^stdout is not as expected/],
    ['that is cut', { reason: 'exited' }, { ...good, stdoutTruncated: true }, /^stdoutTruncated is true, not false$/],
    [
      'that complains',
      { reason: 'exited', exitCode: 0 },
      { ...good, stderr: Buffer.from('oh') },
      /^stderr is not .*"oh"$/,
    ],
    ['of too many processes', { reason: 'exited', processesAtMost: 1 }, good, /^2 processes$/],
    ['that took too long', { reason: 'exited', wallMsAtMost: 4 }, good, /^it took 5 ms$/],
  ];

  test.for(cases)('%s', async ([, expected, result, wanted]) => {
    type Differences = (expect: Expectation, result: object) => string[];
    const { differences } = await load<{ differences: Differences }>('expectation.mjs');
    expect(differences(expected, result)).toEqual(wanted ? [expect.stringMatching(wanted)] : []);
  });
});

describe('untrusted output', () => {
  test('is shown as one line that steers no terminal', async () => {
    const { printable } = await load<{ printable(text: string): string }>('terminal.mjs');
    expect(printable('a\u001b[2J\u001b]0;title\u0007b\tc\r\nd\u0008\u202e')).toBe('ab c d··');
  });
});
