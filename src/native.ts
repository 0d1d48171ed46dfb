import { errnoName, isExhaustion } from './errno.js';
import { SandboxError } from './errors.js';
import { prebuiltPaths } from './paths.js';
import { VERSION } from './version.js';

/** A supervisor just started: `fd` is the host's end of the socket pair, non-blocking and close-on-exec. */
export interface StartedSupervisor {
  readonly pid: number;
  readonly fd: number;
}

/** What Node can't do by itself. No call blocks; all are in microseconds, but for `start`, which is a vfork and an exec. */
export interface Native {
  /** Throws SandboxError 'resources-exhausted' or 'spawn-failed'. */
  start(): StartedSupervisor;
  /** True once the child is reaped, or where there is no such child. */
  reap(pid: number): boolean;
  /** Removes control groups that supervisors left behind which are gone. How many are left, since processes in them still end. */
  sweep(): number;
}

let loading: Promise<Native> | undefined;

/** Loads the native library at the first call; later ones share it. Throws SandboxError 'spawn-failed'. */
export function loadNative(): Promise<Native> {
  loading ??= load().catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

async function load(): Promise<Native> {
  const paths = prebuiltPaths();
  const library = await openLibrary(paths.library);
  const version = library.func('const char *pinfold_version(void)') as () => string;
  const start = library.func('int pinfold_start(const char *supervisorPath, _Out_ int *socketFd)') as (
    supervisorPath: string,
    socketFd: [number | null],
  ) => number;
  const reap = library.func('int pinfold_reap(int pid)') as (pid: number) => number;
  const sweep = library.func('int pinfold_sweep(void)') as () => number;

  if (version() !== VERSION) {
    throw new SandboxError(
      'spawn-failed',
      `The native library ${paths.library} is of version ${version()}, the package of ${VERSION}: reinstall pinfold`,
    );
  }

  return {
    start() {
      const fd: [number | null] = [null];
      const pid = start(paths.supervisor, fd);
      if (pid <= 0 || fd[0] === null) throw startError(-pid, paths.supervisor);
      return { pid, fd: fd[0] };
    },
    reap: (pid) => reap(pid) === 1,
    sweep: () => Math.max(0, sweep()),
  };
}

async function openLibrary(path: string) {
  try {
    const koffi = await import('koffi');
    return koffi.default.load(path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SandboxError(
      'spawn-failed',
      `The native library ${path} can't be loaded (${why}): reinstall pinfold, with optional dependencies`,
      { cause },
    );
  }
}

function startError(errno: number, path: string): SandboxError {
  const name = errnoName(errno);
  if (isExhaustion(errno)) {
    return new SandboxError(
      'resources-exhausted',
      `The supervisor ${path} can't be started: ${name}. Raise 'ulimit -n' and 'ulimit -u', or use fewer sandboxes`,
    );
  }
  return new SandboxError('spawn-failed', `The supervisor ${path} can't be started: ${name}. ${startAdvice(name)}`);
}

function startAdvice(name: string): string {
  if (name !== 'EACCES') return 'Reinstall pinfold';
  return "Make it executable with 'chmod +x', on a file system that isn't mounted with 'noexec', or reinstall pinfold";
}
