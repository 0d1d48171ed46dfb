import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, type TestContext, test } from 'vitest';
import { python } from '../../src/languages/python.js';
import { packagePath } from '../../src/paths.js';
import { hasCommand, runCommand } from '../support/command.js';
import { skipMissing } from '../support/skip.js';
import { findInterpreters, type Interpreter } from './support/interpreters.js';

// The prescript alone, unconfined, with a library that stands in for the native one.

const interpreters = findInterpreters().filter(({ moved }) => moved === undefined);
const PRESCRIPT = packagePath('native/prescripts/python.py');
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'pinfold-prescript-'));
  mkdirSync(join(directory, 'work'));
  mkdirSync(join(directory, 'modules'));
  if (!hasCommand('cc')) return;
  const source = join(import.meta.dirname, '../fixtures/python/fake_library.c');
  runCommand('cc', ['-shared', '-fPIC', '-o', join(directory, 'pinfold.node'), source]);
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

beforeEach((context) => {
  if (!hasCommand('cc')) skipMissing(context, 'no C compiler on this machine');
  copyFileSync(PRESCRIPT, join(directory, 'python.py'));
});

interface Options {
  readonly preload?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly zygoteEnv?: Readonly<Record<string, string>>;
}

function run({ executable }: Interpreter, code: string | Uint8Array, options: Options = {}) {
  const task = join(directory, 'task');
  writeFileSync(task, python.encodeTask({ code: Buffer.from(code), args: options.args ?? [], env: options.env ?? {} }));
  const { status, signal, stdout, stderr } = spawnSync(
    executable,
    [join(directory, 'python.py'), ...(options.preload ?? [])],
    {
      cwd: options.cwd ?? join(directory, 'work'),
      env: { LANG: 'C.UTF-8', HOME: '/nowhere', PYTHONPATH: join(directory, 'modules'), ...options.zygoteEnv },
      stdio: ['pipe', 'pipe', 'pipe', openSync(task, 'r')],
      encoding: 'utf8',
    },
  );
  return { status, signal, stdout, stderr };
}

const module = (name: string, code: string) => writeFileSync(join(directory, 'modules', `${name}.py`), code);

function someInterpreter(context: TestContext): Interpreter {
  return interpreters[0] ?? skipMissing(context, 'no CPython 3.8 or newer on this machine');
}

describe.each(interpreters)('with $title', (interpreter) => {
  test('a preloaded module is there, and has output once', () => {
    module('greeting', 'print("loaded")\nvalue = 41\n');
    const { status, stdout } = run(interpreter, 'import greeting, sys\nprint(greeting.value + 1)\n', {
      preload: ['greeting'],
    });
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'loaded\n42\n' });
  });

  test('a module that starts a thread is refused by name', () => {
    module('threaded', 'import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n');
    const { status, stderr } = run(interpreter, '', { preload: ['json', 'threaded', 'csv'] });
    expect(status).toBe(2);
    expect(stderr).toContain("can't preload 'threaded': its import starts 1 thread");
  });

  test('a module that fails is refused by name', () => {
    const { status, stderr } = run(interpreter, '', { preload: ['not_installed'] });
    expect(status).toBe(2);
    expect(stderr).toContain("can't preload 'not_installed': ModuleNotFoundError");
  });

  test('exit functions of preloaded modules run once, and threads end', () => {
    module('leaving', 'import atexit, logging\natexit.register(print, "left")\n');
    const code = 'import threading\nthreading.Thread(target=print, args=("thread",)).start()\nprint("main")\n';
    const { stdout } = run(interpreter, code, { preload: ['leaving'] });
    expect(stdout.split('\n').sort()).toEqual(['', 'left', 'main', 'thread']);
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('left');
  });

  test('without a place for main.py it runs from memory, with its lines in tracebacks', () => {
    // Nothing can be made in /proc.
    const { status, stdout, stderr } = run(
      interpreter,
      'import inspect\ndef f(): 1 / 0\nprint(inspect.getsource(f))\nf()\n',
      {
        cwd: '/proc',
      },
    );
    expect(status).toBe(1);
    expect(stdout).toBe('def f(): 1 / 0\n\n');
    expect(stderr).toMatch(/^Traceback.*\n {2}File "(\/proc\/)?main.py", line 4, in <module>\n {4}f\(\)\n/);
    expect(stderr).toMatch(/line 2, in f\n {4}def f\(\): 1 \/ 0\n/);
    expect(stderr).not.toContain('python.py');
  });

  test('where its frames can\u2019t be hidden, all else is the same', () => {
    const text = readFileSync(PRESCRIPT, 'utf8').replace('IS_KNOWN_BUILD = (', 'IS_KNOWN_BUILD = False and (');
    writeFileSync(join(directory, 'python.py'), text);
    const code = 'import sys\nprint(sys._getframe().f_back is not None)\ndef f(): raise SystemExit(f"x{1 / 0}")\nf()\n';
    const { status, stdout, stderr } = run(interpreter, code);
    expect({ status, stdout }).toEqual({ status: 1, stdout: 'True\n' });
    expect(stderr).not.toContain('python.py');
    expect(stderr.match(/File/g)).toHaveLength(2);
  });

  test('what the zygote was given is not in the environment', () => {
    const code =
      'import os, subprocess\nprint(dict(os.environ))\nprint(subprocess.run(["/usr/bin/env"], stdout=-1).stdout)\n';
    const { stdout } = run(interpreter, code, {
      env: { A: '1', B: 'x=\u20ac' },
      zygoteEnv: { SECRET: '1', OMP_NUM_THREADS: '1' },
    });
    expect(stdout).toBe("{'A': '1', 'B': 'x=\u20ac'}\nb'A=1\\nB=x=\\xe2\\x82\\xac\\n'\n");
  });

  test('a variable that Python reads at its start is heeded', () => {
    const code =
      'import os, sys\nprint(hash("a"), sys.flags.hash_randomization, sys.flags.optimize, sys.argv)\n1 / 0\n';
    const env = { PYTHONHASHSEED: '0', PYTHONOPTIMIZE: '2' };
    const { status, stdout, stderr } = run(interpreter, code, { env, args: ['x'] });
    expect(status).toBe(1);
    expect(stdout).toMatch(/^-?\d+ 0 2 \['main.py', 'x'\]\n$/);
    expect(stderr).toContain('ZeroDivisionError');
    expect(run(interpreter, code, { env, args: ['x'] }).stdout).toBe(stdout);
  });

  test('code of ten megabytes runs', () => {
    const { status, stdout } = run(
      interpreter,
      Buffer.concat([Buffer.alloc(10 << 20, '# filler\n'), Buffer.from('\nprint(7)\n')]),
    );
    expect({ status, stdout }).toEqual({ status: 0, stdout: '7\n' });
  });
});

test('random state that a fork would share is new', (context) => {
  const interpreter = someInterpreter(context);
  const code =
    'import random, uuid, tempfile\nprint(random.random(), uuid.uuid1(), next(tempfile._get_candidate_names()))\n';
  const [first, second] = [1, 2].map(() => run(interpreter, code, { preload: ['random', 'uuid', 'tempfile'] }).stdout);
  expect(first).not.toBe(second);
});
