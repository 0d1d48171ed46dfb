import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ByteReader } from '../../src/bytes.js';
import { SandboxError } from '../../src/errors.js';
import type { Ask, Runtime, RuntimeRequest } from '../../src/languages/language.js';
import { python } from '../../src/languages/python.js';
import { packagePath } from '../../src/paths.js';
import { ViewKind } from '../../src/protocol.js';
import { skipMissing } from '../support/skip.js';
import { countingAsk } from './support/ask.js';
import { findInterpreters } from './support/interpreters.js';

const interpreters = findInterpreters();
const [anyInterpreter] = interpreters;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pinfold-resolve-'));
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true, force: true });
});

const request = (given: Partial<RuntimeRequest> = {}): RuntimeRequest => ({
  executable: undefined,
  preload: [],
  network: false,
  mounts: [],
  ...given,
});

const resolve = (given: Partial<RuntimeRequest> = {}, ask = countingAsk().ask) => python.resolve(request(given), ask);

async function messageOf(given: Partial<RuntimeRequest>, ask?: Ask): Promise<string> {
  const error = await resolve(given, ask).then(
    () => undefined,
    (raised: unknown) => raised,
  );
  expect(error).toBeInstanceOf(SandboxError);
  expect(error).toMatchObject({ code: 'interpreter-not-found' });
  return (error as SandboxError).message;
}

function script(name: string, ...lines: string[]): string {
  const path = join(directory, name);
  writeFileSync(path, ['#!/bin/sh', ...lines, ''].join('\n'));
  chmodSync(path, 0o755);
  return path;
}

/** A program that says about itself what a Python would. */
const fake = (name: string, facts: object) =>
  script(name, `cat <<'END'\n${JSON.stringify({ ...usual(), ...facts })}\nEND`);

const usual = () => ({
  implementation: 'cpython',
  version: [3, 12, 1],
  executable: '/usr/local/bin/python3',
  prefixes: Array(4).fill('/usr/local'),
  path: ['/usr/local/lib/python3.12', '/usr/local/lib/python3.12/site-packages'],
  stdlib: ['/usr/local/lib/python3.12'],
  mapped: [],
});

describe('an interpreter that is not there', () => {
  test('names the path, the reason, and what to do', async () => {
    const message = await messageOf({ executable: '/nowhere/python3' });
    expect(message).toContain("'/nowhere/python3'");
    expect(message).toContain("Tried: /nowhere/python3: doesn't exist (ENOENT)");
    expect(message).toMatch(/Check the path in the option 'executable'$/);
  });

  test('names PATH where nothing on it has the name', async () => {
    vi.stubEnv('PATH', `${directory}:/nowhere`);
    const message = await messageOf({});
    expect(message).toContain('python3 and python on PATH');
    expect(message).toContain(`${directory}:/nowhere`);
    expect(message).toMatch(/Install one, or set the option 'executable' to the path of one$/);
    expect(await messageOf({ executable: 'python3.99' })).toContain('python3.99 on PATH');
  });

  test('is not a directory, nor a file that may not be executed', async () => {
    mkdirSync(join(directory, 'python3'));
    writeFileSync(join(directory, 'python'), '');
    vi.stubEnv('PATH', directory);
    await messageOf({});
    const file = await messageOf({ executable: join(directory, 'python') });
    expect(file).toContain('is not executable for this user (EACCES)');
    expect(await messageOf({ executable: join(directory, 'python3') })).toContain('is a directory (EACCES)');
  });

  test.each([
    [2, "doesn't exist (ENOENT)"],
    [13, 'is not executable for this user (EACCES)'],
    [40, "can't be started (ELOOP)"],
  ])('is told by the errno %i that the child writes', async (errno, reason) => {
    const answer = { errno: 0, status: 127, stdout: '', stderr: `exec failed: errno ${errno}` };
    const message = await messageOf({ executable: '/nowhere/python3' }, async () => answer);
    expect(message).toContain(`Tried: /nowhere/python3: ${reason}. Check`);
  });

  test('is there, but what is to run it is not', async () => {
    const path = join(directory, 'python');
    writeFileSync(path, '#!/no/such/shell\n', { mode: 0o755 });
    expect(await messageOf({ executable: path })).toContain("needs a program or loader that doesn't exist (ENOENT)");
  });
});

describe('an interpreter that will not do', () => {
  test('is too old', async () => {
    const path = script('python', '[ "$1" = --version ] && echo Python 2.7.18 && exit', 'exit 2');
    expect(await messageOf({ executable: path })).toContain('is Python 2.7.18, which is too old');
    expect(await messageOf({ executable: fake('python3.7', { version: [3, 7, 16] }) })).toContain('CPython 3.7.16');
  });

  test('is another implementation', async () => {
    const path = fake('pypy3', { implementation: 'pypy', version: [3, 10, 14] });
    expect(await messageOf({ executable: path })).toContain('is pypy 3.10.14, not CPython');
  });

  test('is no Python at all', async () => {
    const path = script('python3', 'echo no version is set >&2', 'exit 127');
    expect(await messageOf({ executable: path })).toMatch(/exit code 127.*no version is set/);
    const long = script('long', 'echo a secret line >&2', `echo ${'x'.repeat(300)} >&2`, 'exit 1');
    expect(await messageOf({ executable: long })).toContain(`(exit code 1): ${'x'.repeat(199)}…. Check`);
    expect(await messageOf({ executable: long })).not.toContain('secret');
    expect(await messageOf({ executable: script('loud', 'echo hello') })).toContain("doesn't answer as a Python does");
    expect(await messageOf({ executable: script('killed', 'kill -9 $$') })).toContain('ended by a signal');
  });

  test('lives where jobs have their scratch', async () => {
    const path = fake('python3', { executable: '/tmp/python/bin/python3', prefixes: Array(4).fill('/tmp/python') });
    expect(await messageOf({ executable: path })).toContain('lives in /tmp/python');
  });
});

describe.runIf(anyInterpreter)('finding an interpreter', () => {
  const real = anyInterpreter?.executable ?? '';

  test('goes through a shim, once', async () => {
    const { ask, asked } = countingAsk();
    const shim = script('python3', `exec ${real} "$@"`);
    vi.stubEnv('PATH', `${directory}:${process.env.PATH}`);
    const first = await resolve({}, ask);
    const again = await resolve({}, ask);
    expect(asked).toHaveLength(1);
    expect(asked[0]?.slice(0, 3)).toEqual([shim, '-I', '-c']);
    expect(again).toEqual(first);
    expect(first.executable).toBe(real);

    utimesSync(shim, 1, 1);
    await resolve({}, ask);
    expect(asked).toHaveLength(2);
  });

  test('goes on along PATH past one that will not do', async () => {
    script('python3', 'exit 127');
    vi.stubEnv('PATH', `${directory}:${join(real, '..')}`);
    expect((await resolve()).executable).toMatch(/^\//);
  });

  test('takes a path relative to the current directory', async () => {
    expect((await resolve({ executable: relative(process.cwd(), real) })).executable).toBe(real);
  });

  test('takes a link to it', async () => {
    const link = join(directory, 'mine');
    symlinkSync(real, link);
    const runtime = await resolve({ executable: link });
    expect(runtime.executable).toBe(realpathSync(real));
  });
});

describe('what a job sees', () => {
  const shown = (runtime: Runtime) =>
    runtime.view.filter(({ kind }) => kind === ViewKind.BIND_READ_ONLY || kind === ViewKind.BIND_WRITABLE);

  test.each(interpreters)('with $title is none of the caller\u2019s directories', async ({ option }) => {
    const runtime = await resolve({ executable: option });
    const closed = [process.cwd(), homedir(), packagePath('.').replace(/\/$/, '')];
    for (const entry of shown(runtime)) {
      const source = 'source' in entry ? entry.source : '';
      for (const path of closed) expect(`${path}/`.startsWith(`${source}/`), `${path} in ${source}`).toBe(false);
      expect(['/', '/usr', '/usr/local', '/etc', '/home', '/root', '/opt', '/var']).not.toContain(source);
    }
  });

  test('of a machine-wide prefix are its pieces', async () => {
    const runtime = await resolve({ executable: fake('python3', {}) });
    for (const { path } of shown(runtime)) expect(path).not.toBe('/usr/local');
  });

  test('is the runtime, the prescript, a made-up /etc, and no path twice', async (context) => {
    if (!anyInterpreter) skipMissing(context, 'no CPython on this machine');
    const runtime = await resolve({ executable: anyInterpreter.option, preload: ['json', 'csv'] });
    const paths = runtime.view.map(({ path }) => path);
    expect(new Set(paths).size).toBe(paths.length);
    expect(paths).toEqual(
      expect.arrayContaining([
        '/.pinfold/pinfold.node',
        '/.pinfold/python.py',
        '/etc/passwd',
        '/dev/null',
        '/tmp',
        '/work',
      ]),
    );
    expect(runtime.argv).toEqual([runtime.executable, '/.pinfold/python.py', 'json', 'csv']);
    const passwd = runtime.view.find(({ path }) => path === '/etc/passwd');
    expect(passwd && 'content' in passwd && Buffer.from(passwd.content).toString()).toContain('pinfold:x:1000:1000:');
    expect(runtime.env).not.toHaveProperty('PATH');
  });

  test('ends with the caller\u2019s mounts', async (context) => {
    if (!anyInterpreter) skipMissing(context, 'no CPython on this machine');
    const mounts = [
      { source: '/srv/data', target: '/data', writable: false },
      { source: '/srv/out', target: '/out', writable: true },
    ];
    const { view } = await resolve({ executable: anyInterpreter.option, mounts });
    expect(view.slice(-2)).toEqual([
      { kind: ViewKind.BIND_READ_ONLY, path: '/data', source: '/srv/data' },
      { kind: ViewKind.BIND_WRITABLE, path: '/out', source: '/srv/out' },
    ]);
  });
});

test('a task is list<string> argv, list<string> env, bytes code', () => {
  const code = Buffer.from('print("\u20ac")\0');
  const reader = new ByteReader(python.encodeTask({ code, args: ['-x', ''], env: { A: '1=2', '\u20ac': '' } }));
  expect(reader.strings()).toEqual(['main.py', '-x', '']);
  expect(reader.strings()).toEqual(['A=1=2', '\u20ac=']);
  expect(reader.bytes()).toEqual(code);
  reader.end();
});
