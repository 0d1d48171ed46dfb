import { accessSync, constants, readdirSync, readFileSync, statSync } from 'node:fs';
import { posix } from 'node:path';
import { ByteWriter } from '../bytes.js';
import { errnoName } from '../errno.js';
import { SandboxError } from '../errors.js';
import { packagePath, prebuiltPaths } from '../paths.js';
import { environmentList } from '../protocol.js';
import type { Answer, Ask, Language, Runtime, RuntimeRequest, Task } from './language.js';
import { isInside, privateDirectories, realPath, SCRATCH_PATHS, statusOf, View } from './view.js';

/** CPython: one zygote per sandbox, which forks itself for every job. */
export const python: Language = {
  name: 'python',
  resolve: resolvePython,
  encodeTask,
};

const DEFAULT_NAMES = ['python3', 'python'];
const OLDEST = [3, 8] as const;
/** Characters of what a program says that go into a message. */
const QUOTED_LENGTH = 200;
const LIBRARY = '/.pinfold/pinfold.node';
const PRESCRIPT = '/.pinfold/python.py';
/** Where a venv is shown that lies on the host where jobs have their scratch. */
const MOVED_VENV = '/run/venv';
/** Where Debian keeps what others have beside their modules: matplotlib's fonts and styles, venv's wheels of pip, Tcl's scripts. */
const DEBIAN_DIRECTORIES = ['/usr/share/matplotlib', '/usr/share/python-wheels', '/usr/share/tcltk'];

/**
 * Of the zygote alone: a job's environment is what the caller gives. Numeric libraries start a thread for each CPU when they
 * are imported unless told not to, and a fork would lose those.
 */
const ZYGOTE_ENVIRONMENT: Readonly<Record<string, string>> = {
  LANG: 'C.UTF-8',
  HOME: '/work',
  OPENBLAS_NUM_THREADS: '1',
  OMP_NUM_THREADS: '1',
  MKL_NUM_THREADS: '1',
  BLIS_NUM_THREADS: '1',
  NUMEXPR_NUM_THREADS: '1',
};

/** Importing these maps the libraries that extension modules of the standard library need, wherever they are. */
const QUESTION = `
import json, os, sys, sysconfig
for name in ('_bz2', '_ctypes', '_curses', '_dbm', '_decimal', '_hashlib', '_lzma', '_sqlite3', '_ssl', '_uuid', 'pyexpat', 'readline', 'zlib'):
    try:
        __import__(name)
    except ImportError:
        pass
with open('/proc/self/maps') as maps:
    mapped = sorted({line.split(None, 5)[5].strip() for line in maps if line.count('/') and not line.endswith('(deleted)\\n')})
print()
print(json.dumps({
    'implementation': sys.implementation.name,
    'version': list(sys.version_info[:3]),
    'executable': sys.executable or os.readlink('/proc/self/exe'),
    'prefixes': [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix],
    'path': [path for path in sys.path if os.path.isabs(path)],
    'stdlib': [os.path.dirname(os.__file__), sysconfig.get_path('stdlib')],
    'mapped': [path for path in mapped if path.startswith('/')],
}))
`;

interface Facts {
  readonly implementation: string;
  readonly version: readonly [number, number, number];
  readonly executable: string;
  readonly prefixes: readonly string[];
  readonly path: readonly string[];
  readonly stdlib: readonly string[];
  readonly mapped: readonly string[];
}

async function resolvePython(request: RuntimeRequest, ask: Ask): Promise<Runtime> {
  const facts = await findInterpreter(request.executable, ask);
  const moved = movedVenv(facts);
  const executable = moved ? posix.join(MOVED_VENV, posix.relative(moved, facts.executable)) : visibleExecutable(facts);
  const view = new View(runtimePaths(facts)).addSystem(request.network);
  // Copied: the package may lie where nobody but root can read, and a zygote of root's is not root.
  view.file(LIBRARY, readFileSync(prebuiltPaths().library));
  view.file(PRESCRIPT, readFileSync(packagePath('native/prescripts/python.py')));
  if (moved) view.open(MOVED_VENV, moved);
  showRuntime(view, facts);
  return {
    executable,
    argv: [executable, PRESCRIPT, ...request.preload],
    env: ZYGOTE_ENVIRONMENT,
    view: view.addMounts(request.mounts).entries,
  };
}

/** list<string> argv, list<string> env, bytes code: docs/protocol.md. */
function encodeTask({ code, args, env }: Task): Uint8Array {
  return new ByteWriter(code.byteLength + 1024)
    .strings(['main.py', ...args])
    .strings(environmentList(env))
    .bytes(code)
    .finish();
}

// --- Finding the interpreter ---------------------------------------------------------------------------------------

/** What was learnt of an interpreter, for as long as its file and what a shim looks at stay the same. */
const knownFacts = new Map<string, Facts>();

async function findInterpreter(executable: string | undefined, ask: Ask): Promise<Facts> {
  const tried: string[] = [];
  for (const path of candidates(executable, tried)) {
    const facts = await learn(path, ask, tried);
    if (facts) return facts;
  }
  const asked = executable === undefined ? '' : ` for executable '${executable}'`;
  const advice = executable?.includes('/')
    ? "Check the path in the option 'executable'"
    : "Install one, or set the option 'executable' to the path of one";
  throw new SandboxError(
    'interpreter-not-found',
    `No CPython ${OLDEST.join('.')} or newer was found${asked}. Tried: ${tried.join('; ')}. ${advice}`,
  );
}

function candidates(executable: string | undefined, tried: string[]): string[] {
  if (executable?.includes('/')) return [posix.resolve(executable)];
  const names = executable === undefined ? DEFAULT_NAMES : [executable];
  const directories = (process.env.PATH ?? '').split(':').filter((directory) => directory !== '');
  const found = names.flatMap((name) =>
    directories.map((directory) => posix.resolve(directory, name)).filter(isProgram),
  );
  if (found.length === 0) tried.push(`${names.join(' and ')} on PATH (${directories.join(':') || 'which is empty'})`);
  return [...new Set(found)];
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Undefined where it won't do; then `tried` says why. */
async function learn(path: string, ask: Ask, tried: string[]): Promise<Facts | undefined> {
  const key = cacheKey(path);
  const known = knownFacts.get(key);
  if (known) return known;
  const answer = await ask([path, '-I', '-c', QUESTION]);
  const facts = readFacts(answer);
  const fault = facts ? faultOf(facts) : await describe(path, answer, ask);
  if (!facts || fault !== undefined) {
    tried.push(`${path}: ${fault}`);
    return undefined;
  }
  knownFacts.set(key, facts);
  return facts;
}

/** A shim chooses by the current directory and by a variable. */
function cacheKey(path: string): string {
  const stats = statusOf(path, statSync);
  const { PYENV_VERSION = '', ASDF_PYTHON_VERSION = '' } = process.env;
  return JSON.stringify([path, stats?.mtimeMs, stats?.size, process.cwd(), PYENV_VERSION, ASDF_PYTHON_VERSION]);
}

function readFacts({ status, stdout }: Answer): Facts | undefined {
  if (status !== 0) return undefined;
  try {
    return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Facts;
  } catch {
    return undefined;
  }
}

function faultOf(facts: Facts): string | undefined {
  const [major, minor] = facts.version;
  const version = facts.version.join('.');
  if (facts.implementation !== 'cpython') return `is ${facts.implementation} ${version}, not CPython`;
  if (major !== OLDEST[0] || minor < OLDEST[1]) return `is CPython ${version}, which is too old`;
  const hidden = [visibleExecutable(facts), ...facts.prefixes, ...facts.stdlib].find(isHiddenByScratch);
  if (hidden === undefined || movedVenv(facts) !== undefined) return undefined;
  return `lives in ${hidden}, where jobs have their own scratch (${SCRATCH_PATHS.join(', ')})`;
}

async function describe(path: string, answer: Answer, ask: Ask): Promise<string> {
  const errno = errnoOf(answer);
  if (errno !== 0) return describeStart(path, errnoName(errno));
  // Old ones do not know the option that keeps the caller's variables and directory out of the way.
  const { status, stdout, stderr } = await ask([path, '--version']);
  const said = `${stdout}${stderr}`.trim().split('\n')[0] ?? '';
  if (status === 0 && said.startsWith('Python ')) return `is ${said}, which is too old`;
  const complaint = lastLine(answer.stderr);
  return `doesn't answer as a Python does (${answer.status === null ? 'ended by a signal' : `exit code ${answer.status}`})${complaint && `: ${complaint}`}`;
}

/** A failed exec is told by the child, after the fork: as words on stderr. */
function errnoOf({ errno, status, stderr }: Answer): number {
  if (errno !== 0 || status !== 127) return errno;
  return Number(/^exec failed: errno (\d+)$/.exec(stderr)?.[1] ?? 0);
}

function describeStart(path: string, errno: string): string {
  const stats = statusOf(path, statSync);
  if (stats?.isDirectory()) return `is a directory (${errno})`;
  if (errno === 'ENOENT') {
    return stats ? `needs a program or loader that doesn't exist (${errno})` : `doesn't exist (${errno})`;
  }
  return errno === 'EACCES' ? `is not executable for this user (${errno})` : `can't be started (${errno})`;
}

function lastLine(text: string): string {
  const line = text.trim().split('\n').at(-1) ?? '';
  return line.length > QUOTED_LENGTH ? `${line.slice(0, QUOTED_LENGTH - 1)}…` : line;
}

// --- What of it a job has to see -----------------------------------------------------------------------------------

/** Directories that belong to the machine: of these only the runtime's pieces are shown. */
const SHARED_PREFIXES = ['/', '/usr', '/usr/local', '/opt'];

function runtimePaths({ executable, prefixes, path, stdlib }: Facts): string[] {
  return [
    executable,
    realPath(executable),
    ...prefixes,
    ...stdlib,
    ...path.filter((entry) => isPackages(entry)),
  ].filter((needed) => !SHARED_PREFIXES.includes(needed));
}

function showRuntime(view: View, facts: Facts): void {
  for (const prefix of facts.prefixes) {
    if (isOwnDirectory(prefix)) view.open(prefix).follow(prefix);
    else if (prefix !== '/') view.follow(posix.join(prefix, 'pyvenv.cfg'));
  }
  view.follow(facts.executable).follow(visibleExecutable(facts));
  for (const path of facts.stdlib) view.follow(path);
  for (const path of facts.path) {
    if (facts.prefixes.some((prefix) => isInside(path, prefix)) || isPackages(path)) view.follow(path);
  }
  for (const path of facts.mapped) {
    if (!view.sees(path)) for (const name of namesOf(path)) view.follow(name);
  }
  if (facts.prefixes.includes('/usr')) showDebian(view, facts);
}

function showDebian(view: View, { version: [major, minor] }: Facts): void {
  for (const path of DEBIAN_DIRECTORIES) view.follow(path);
  view.copy('/etc/matplotlibrc');
  // Its site-packages hold a link to this file.
  view.copy(`/etc/python${major}.${minor}/sitecustomize.py`);
}

/** Whether a prefix holds the runtime and nothing else: no directory of the machine's, and nothing of the caller's in it. */
function isOwnDirectory(prefix: string): boolean {
  return !SHARED_PREFIXES.includes(prefix) && !privateDirectories().some((kept) => isInside(kept, prefix));
}

function isPackages(path: string): boolean {
  return ['site-packages', 'dist-packages'].includes(posix.basename(path));
}

function isHiddenByScratch(path: string): boolean {
  return SCRATCH_PATHS.some((scratch) => isInside(path, scratch) || isInside(realPath(path), scratch));
}

/** A link in /tmp or /work is not seen by a job; what it leads to may be. */
function visibleExecutable({ executable }: Facts): string {
  return isHiddenByScratch(executable) ? realPath(executable) : executable;
}

/** A venv that lies in /tmp or /work, which a job does not see: its prefix, where the rest of the runtime can be seen. */
function movedVenv({ executable, prefixes, stdlib }: Facts): string | undefined {
  const [prefix = '', , basePrefix = '', baseExecPrefix = ''] = prefixes;
  if (prefix === basePrefix || !isHiddenByScratch(prefix) || !isInside(executable, prefix)) return undefined;
  return [basePrefix, baseExecPrefix, ...stdlib].some(isHiddenByScratch) ? undefined : prefix;
}

/** A library's file, and the links beside it by which the loader asks for it. */
function namesOf(library: string): string[] {
  const directory = posix.dirname(library);
  try {
    const links = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isSymbolicLink());
    return [
      library,
      ...links.map(({ name }) => posix.join(directory, name)).filter((path) => realPath(path) === library),
    ];
  } catch {
    return [library];
  }
}
