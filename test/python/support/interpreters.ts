import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** An interpreter to test with. */
export interface Interpreter {
  readonly title: string;
  /** What a caller gives as the option `executable`. */
  readonly option: string | undefined;
  /** What is run unconfined. */
  readonly executable: string;
  readonly version: readonly [number, number, number];
  /** A directory that jobs see elsewhere: [on the host, in the view]. */
  readonly moved: readonly [string, string] | undefined;
}

const IDENTITY = 'import sys; print(sys.executable, sys.implementation.name, *sys.version_info[:3])';

/**
 * Every CPython from 3.8 on that this machine has: the one on PATH, Debian's, pyenv's, and venvs made of the first two, which
 * are removed after the tests of the file that calls this.
 */
export function findInterpreters(): Interpreter[] {
  const found = [
    identify('python3 on PATH', 'python3', undefined),
    identify('/usr/bin/python3', '/usr/bin/python3'),
    ...pyenvExecutables().map((path) => identify(`pyenv's ${path.split('/').at(-3)}`, path)),
  ].filter((interpreter) => interpreter !== undefined);
  return [...found, ...makeVenvs(found.slice(0, 2))];
}

function identify(title: string, executable: string, option: string | undefined = executable): Interpreter | undefined {
  const isDefault = title === 'python3 on PATH';
  const { status, stdout } = spawnSync(executable, ['-I', '-c', IDENTITY], { encoding: 'utf8' });
  if (status !== 0) return undefined;
  const [path = '', implementation, major, minor, micro] = stdout.trim().split(' ');
  if (implementation !== 'cpython' || Number(major) !== 3 || Number(minor) < 8) return undefined;
  return {
    title: `${title} (${[major, minor, micro].join('.')})`,
    option: isDefault ? undefined : option,
    executable: path,
    version: [Number(major), Number(minor), Number(micro)],
    moved: undefined,
  };
}

function pyenvExecutables(): string[] {
  const versions = join(process.env.PYENV_ROOT ?? join(homedir(), '.pyenv'), 'versions');
  if (!existsSync(versions)) return [];
  return readdirSync(versions).map((version) => join(versions, version, 'bin', 'python3'));
}

/** In the directory for temporary files, as many are, where a job has its own scratch: so they are shown elsewhere. */
function makeVenvs(bases: readonly Interpreter[]): Interpreter[] {
  return bases.flatMap((base) => {
    const directory = mkdtempSync(join(tmpdir(), 'pinfold-venv-'));
    afterAll(() => rmSync(directory, { recursive: true, force: true }));
    const made = spawnSync(base.executable, ['-m', 'venv', '--without-pip', directory]);
    if (made.status !== 0) return [];
    const venv = identify(`a venv of ${base.title}`, join(directory, 'bin', 'python3'));
    return venv
      ? [
          {
            ...venv,
            moved: ['/tmp', '/dev/shm', '/work'].some((path) => directory.startsWith(`${path}/`))
              ? ([directory, '/run/venv'] as const)
              : undefined,
          },
        ]
      : [];
  });
}
