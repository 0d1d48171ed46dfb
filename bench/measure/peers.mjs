import { execFileSync } from 'node:child_process';
import { runBare } from './bare.mjs';
import { assertOutput } from './interleave.mjs';
import { openSandboxRuntime } from './sandbox-runtime.mjs';

/**
 * Another sandbox, ready to run Python code.
 * @typedef {object} Peer
 * @property {string} name
 * @property {string} confines                       What it takes from the program, as it is called here.
 * @property {string} version
 * @property {(code: string) => Promise<string>} run  Resolves with stdout when the process is reaped.
 * @property {() => Promise<void>} close
 */

/**
 * @typedef {object} Known
 * @property {string} name
 * @property {string} confines
 * @property {(executable: string, scratch: string) => Promise<Omit<Peer, 'name' | 'confines'>>} open  Rejects where it is not installed.
 */

/** The widest of the throughput section. */
const MOST_AT_ONCE = 16;

/**
 * Each is called as its own manual recommends for a program that isn't trusted: all the isolation that it offers without
 * writing a policy of one's own.
 * @type {readonly Known[]}
 */
const KNOWN = [
  {
    name: 'bubblewrap',
    confines:
      'all namespaces, a read-only view of all files, own `/dev`, `/proc` and `/tmp`; no system-call filter, no limits',
    open: command({
      version: () => ask('bwrap', '--version'),
      // biome-ignore format: a command reads best in the lines that belong together
      argv: (executable) => [
        'bwrap', '--unshare-all', '--die-with-parent',
        '--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc', '--tmpfs', '/tmp',
        executable, '-c',
      ],
    }),
  },
  {
    name: 'nsjail',
    confines:
      'all namespaces, a read-only view of all files, own `/proc` and `/tmp`, another user, rlimits; no system-call filter',
    open: command({
      version: () => installed('nsjail'),
      // biome-ignore format: as above
      argv: (executable) => [
        'nsjail', '-Mo', '--really_quiet', '--user', '65534', '--group', '65534',
        '--chroot', '/', '--tmpfsmount', '/tmp',
        '--', executable, '-c',
      ],
    }),
  },
  {
    name: 'minijail',
    confines:
      'all namespaces but user and time, a read-only view of all files, own `/proc` and `/tmp`, another user, no capabilities; no system-call filter',
    open: command({
      version: () => installed('minijail0'),
      // biome-ignore format: as above
      argv: (executable, scratch) => [
        'minijail0', '-v', '-p', '-e', '-l', '-N', '--uts', '-n', '-c', '0', '-u', 'nobody', '-g', 'nogroup',
        '-P', scratch, '-b', '/,/', '-t',
        '--', executable, '-c',
      ],
    }),
  },
  {
    name: 'isolate',
    confines:
      'pid, mount, network and ipc namespaces, own root with the system directories read-only, another user, a limit on time; boxes are made ahead',
    open: openIsolate,
  },
  {
    name: 'firejail',
    confines:
      'pid, mount, ipc and network namespaces, all files read-only, own `/dev` and `/tmp`, no capabilities, a list of refused system calls',
    open: command({
      version: () => ask('firejail', '--version'),
      // biome-ignore format: as above
      argv: (executable) => [
        'firejail', '--quiet', '--noprofile', '--net=none', '--ipc-namespace', '--private-dev', '--private-tmp', '--read-only=/',
        '--caps.drop=all', '--nonewprivs', '--nogroups', '--seccomp',
        executable, '-c',
      ],
    }),
  },
  {
    name: '@anthropic-ai/sandbox-runtime',
    confines:
      'bubblewrap with a network namespace and proxies, no file to be written, a filter against Unix sockets; started once, ahead',
    open: openSandboxRuntime,
  },
];

/**
 * Those that work here, and why the others don't.
 * @param {string} executable
 * @param {string} scratch
 */
export async function openPeers(executable, scratch) {
  /** @type {Peer[]} */
  const peers = [];
  /** @type {string[]} */
  const missing = [];
  for (const { name, confines, open } of KNOWN) {
    try {
      const peer = { name, confines, ...(await open(executable, scratch)) };
      assertOutput(await peer.run('print(1)'), '1\n');
      peers.push(peer);
    } catch (error) {
      missing.push(`${name}: ${whyNot(error)}`);
    }
  }
  return { peers, missing, close: () => Promise.all(peers.map((peer) => peer.close())) };
}

/**
 * A program that starts the command at its end.
 * @param {{ version: () => string, argv: (executable: string, scratch: string) => string[] }} program
 * @returns {Known['open']}
 */
function command({ version, argv }) {
  return async (executable, scratch) => {
    const told = version();
    const start = argv(executable, scratch);
    return { version: told, run: (code) => runBare([...start, code]), close: async () => {} };
  };
}

/**
 * One box can be used by one run at a time, so there are as many as are ever wanted at once.
 * @type {Known['open']}
 */
async function openIsolate(executable) {
  const version = ask('isolate', '--version');
  const boxes = Array.from({ length: MOST_AT_ONCE }, (_, index) => `--box-id=${index}`);
  for (const box of boxes) ask('isolate', box, '--init');
  const free = [...boxes];
  return {
    version,
    run: async (code) => {
      const box = free.pop();
      if (box === undefined) throw new Error('All boxes are in use');
      const stdout = await runBare(['isolate', box, '--silent', '--processes', '--run', '--', executable, '-c', code]);
      free.push(box);
      return stdout;
    },
    close: async () => {
      for (const box of boxes) ask('isolate', box, '--cleanup');
    },
  };
}

/**
 * The first version number that it prints.
 * @param {string} file
 * @param {...string} args
 */
function ask(file, ...args) {
  const text = execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  return /\d+(?:\.\d+)+/.exec(text)?.[0] ?? 'version unknown';
}

/**
 * For programs that don't tell their version.
 * @param {string} file
 */
function installed(file) {
  execFileSync('sh', ['-c', 'command -v "$0"', file], { stdio: 'ignore' });
  return 'version not told';
}

/** @param {unknown} error */
function whyNot(error) {
  const { code, status, message } = /** @type {NodeJS.ErrnoException & { status?: number }} */ (error);
  if (code === 'ENOENT' || code === 'ERR_MODULE_NOT_FOUND' || status === 127) return 'not installed';
  return `doesn't work here (${message.trim().split('\n').at(-1)})`;
}
