import { constants as bufferConstants } from 'node:buffer';
import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import type { ReadableStream as NodeReadableStream } from 'node:stream/web';
import { types } from 'node:util';
import {
  checkBoolean,
  checkEnvironment,
  checkFunction,
  checkInteger,
  checkList,
  checkOneOf,
  checkText,
  invalidOption,
  isInteger,
  isNear,
  notAvailable,
  readFields,
  refuseThrowing,
} from './check.js';
import { GUARANTEES, type Guarantee, REQUIRED_BY_DEFAULT, REQUIRED_WITH_NETWORK } from './isolation.js';
import { DEFAULT_LANGUAGE, findLanguage, LANGUAGE_NAMES, type LanguageName } from './languages/index.js';
import type { Language, RuntimeRequest } from './languages/language.js';
import {
  type CheckedLimits,
  checkLimits,
  completeLimits,
  LIMIT_NAMES,
  type Limits,
  type PartialLimits,
} from './limits.js';
import { buildPolicy, type Policy } from './policy/policy.js';
import type { Syscall } from './policy/syscalls.js';

export interface Mount {
  /** Absolute path on the host; must exist. */
  source: string;
  /**
   * Absolute path inside, default: `source`. Not in /proc, /dev, /tmp, /work or /.pinfold; below /usr, /etc and the other system
   * directories, but none of them.
   */
  target?: string | undefined;
  /** Default false. */
  writable?: boolean | undefined;
}

export interface SandboxOptions {
  /** Default 'node'. In 0.1 only 'python' is available, and must be named. */
  language?: LanguageName | undefined;
  /** The interpreter, as a path or a name to look for on PATH; shims are resolved. Default: the language's usual name. */
  executable?: string | undefined;
  /** Modules that are imported once, before any run, so that runs have them at no cost, such as `['numpy']`. */
  preload?: readonly string[] | undefined;
  /** Runs at once, 1 to 1,024. Default: `os.availableParallelism()`. */
  concurrency?: number | undefined;
  /** Runs that may wait, 0 or more. Default Infinity. Past it `run` rejects with code 'queue-full'. */
  maxQueue?: number | undefined;
  /** Processes kept ready for the next runs, 0 to 1,024. Default: `concurrency`. 0: started on demand. */
  warm?: number | undefined;
  /** Defaults for every run; a run may set its own. */
  limits?: Limits | undefined;
  /**
   * Default false. True: runs share the host's network, loopback and all, with TCP and UDP over IPv4 and IPv6. There is nothing
   * in between yet.
   */
  network?: boolean | undefined;
  /** Further views of the host's files: a venv, data sets. Read-only unless `writable`. */
  mounts?: readonly Mount[] | undefined;
  /** Environment variables of every run. Exactly these: the host's are never inherited. */
  env?: Record<string, string> | undefined;
  /** System calls to add to the policy and to remove from it. */
  syscalls?: { allow?: readonly Syscall[] | undefined; deny?: readonly Syscall[] | undefined } | undefined;
  /**
   * Guarantees that must be enforced, or the sandbox does not start ('isolation-unavailable').
   * Default: filesystem, network (unless `network: true`), processes, privileges, syscalls.
   */
  require?: readonly Guarantee[] | undefined;
}

/** Node's own, and the one that a program with the DOM's types knows: the same object, but two types there. */
export type WebStream = ReadableStream<Uint8Array> | NodeReadableStream<Uint8Array>;

/** Limits set here go before those of the sandbox. */
export interface RunOptions extends Limits {
  /** Default: empty. A stream is read no faster than the run takes it, and destroyed (cancelled) when the run reads no more. */
  stdin?: string | Uint8Array | WebStream | Readable | undefined;
  /** Arguments of the program, after its own name. */
  args?: readonly string[] | undefined;
  /** Added to the sandbox's `env`; of equal names this one counts. */
  env?: Record<string, string> | undefined;
  /** Not available in 0.1. */
  files?: Record<string, string | Uint8Array> | undefined;
  /** Not available in 0.1. */
  collect?: readonly string[] | undefined;
  /** Not available in 0.1. */
  input?: unknown;
  /** Not available in 0.1. */
  output?: unknown;
  /** Ends the run with reason 'aborted', also while it waits. */
  signal?: AbortSignal | undefined;
  /** Any finite number, default 0: of the waiting runs, the one with the highest starts first. */
  priority?: number | undefined;
  /** Called with each piece of output as it comes. A listener that throws ends this run, whose promise rejects with that error. */
  onStdout?: ((chunk: Uint8Array) => void) | undefined;
  onStderr?: ((chunk: Uint8Array) => void) | undefined;
  /** What happens at `outputBytes`. Default 'truncate'. */
  onOutputLimit?: 'truncate' | 'kill' | undefined;
  /** Of `result.stdout` and `result.stderr`: strings (bytes that are no UTF-8 become U+FFFD), or Buffers. Default 'utf8'. */
  encoding?: Encoding | undefined;
}

export type Encoding = 'utf8' | 'buffer';
export type Code = string | Uint8Array | readonly string[];
export type OutputListener = (chunk: Uint8Array) => void | Promise<void>;

export type StdinSource =
  | { readonly type: 'bytes'; readonly bytes: Uint8Array }
  | { readonly type: 'web'; readonly stream: WebStream }
  | { readonly type: 'node'; readonly stream: Readable };

export interface CheckedOptions extends RuntimeRequest {
  readonly language: Language;
  readonly concurrency: number;
  readonly maxQueue: number;
  readonly warm: number;
  readonly limits: PartialLimits;
  readonly env: Readonly<Record<string, string>>;
  readonly policy: Policy;
  readonly require: readonly Guarantee[];
}

export interface CheckedRunOptions {
  readonly limits: CheckedLimits;
  /** Undefined: empty. */
  readonly stdin: StdinSource | undefined;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal | undefined;
  readonly priority: number;
  readonly onStdout: OutputListener | undefined;
  readonly onStderr: OutputListener | undefined;
  readonly killOnOutputLimit: boolean;
  readonly encoding: Encoding;
}

const SANDBOX_FIELDS = [
  'language',
  'executable',
  'preload',
  'concurrency',
  'maxQueue',
  'warm',
  'limits',
  'network',
  'mounts',
  'env',
  'syscalls',
  'require',
] as const satisfies readonly (keyof SandboxOptions)[];

const RUN_FIELDS = [
  ...LIMIT_NAMES,
  'stdin',
  'args',
  'env',
  'files',
  'collect',
  'input',
  'output',
  'signal',
  'priority',
  'onStdout',
  'onStderr',
  'onOutputLimit',
  'encoding',
] as const satisfies readonly (keyof RunOptions)[];

const SANDBOX_HINTS: ReadonlyMap<unknown, string> = new Map(
  LIMIT_NAMES.map((name) => [name, `Put it in 'limits': { limits: { ${name}: … } }`]),
);
const RUN_HINTS: ReadonlyMap<unknown, string> = new Map([
  ['limits', 'The limits of a run are given directly: { wallMs: … }'],
]);

/** Those of LANGUAGE_NAMES that this version has. */
const AVAILABLE_LANGUAGES: readonly LanguageName[] = ['python'];
/** What people call it: py, python3, CPython, python3.12. */
const PYTHON_NAME = /^(?:c?python|py)[\d.]*$/i;

const MAX_CONCURRENCY = 1_024;
const MAX_CODE_BYTES = 64 * 1024 * 1024;
const EMPTY_RECORD: Readonly<Record<string, string>> = Object.freeze({});
const EMPTY_LIST: readonly never[] = Object.freeze([]);

/** Reads every option once; what it returns is frozen and shares nothing that the caller could change. */
export function checkSandboxOptions(value: unknown = {}, defaultLanguage = DEFAULT_LANGUAGE): CheckedOptions {
  return refuseThrowing('options', () => readSandboxOptions(value, defaultLanguage));
}

function readSandboxOptions(value: unknown, defaultLanguage: LanguageName): CheckedOptions {
  const fields = readFields(value, 'options', SANDBOX_FIELDS, SANDBOX_HINTS);
  const language = findLanguage(optional(fields.language, defaultLanguage, checkLanguageName));
  const concurrency = optional(fields.concurrency, defaultConcurrency(), (given) =>
    checkInteger(given, 'concurrency', { min: 1, max: MAX_CONCURRENCY }),
  );
  const network = optional(fields.network, false, (given) => checkBoolean(given, 'network'));
  return Object.freeze({
    language,
    executable: optional(fields.executable, undefined, checkExecutable),
    preload: optional(fields.preload, EMPTY_LIST, (given) => checkList(given, 'preload', checkModuleName)),
    concurrency,
    maxQueue: optional(fields.maxQueue, Number.POSITIVE_INFINITY, checkMaxQueue),
    warm: optional(fields.warm, concurrency, (given) => checkInteger(given, 'warm', { min: 0, max: MAX_CONCURRENCY })),
    limits: optional(fields.limits, Object.freeze({}), (given) =>
      checkLimits(readFields(given, 'limits', LIMIT_NAMES), 'limits.'),
    ),
    network,
    mounts: optional(fields.mounts, EMPTY_LIST, checkMounts),
    env: optional(fields.env, EMPTY_RECORD, (given) => checkEnvironment(given, 'env')),
    policy: checkPolicy(fields.syscalls, network),
    require: checkRequired(fields.require, network),
  });
}

/** The same for one run; `sandbox` gives the defaults. */
export function checkRunOptions(value: unknown = {}, sandbox: CheckedOptions): CheckedRunOptions {
  return refuseThrowing('options', () => readRunOptions(value, sandbox));
}

function readRunOptions(value: unknown, sandbox: CheckedOptions): CheckedRunOptions {
  const fields = readFields(value, 'options', RUN_FIELDS, RUN_HINTS);
  for (const name of ['files', 'collect', 'input', 'output'] as const) {
    if (fields[name] !== undefined) throw notAvailable(name, fields[name], 'leave it out');
  }
  const limits = Object.freeze(completeLimits(sandbox.limits, checkLimits(fields, '')));
  const encoding = optional(fields.encoding, 'utf8' as const, (given) =>
    checkOneOf(given, 'encoding', ['utf8', 'buffer'] as const),
  );
  assertFitsString(limits.outputBytes, encoding);
  const onOutputLimit = optional(fields.onOutputLimit, 'truncate', (given) =>
    checkOneOf(given, 'onOutputLimit', ['truncate', 'kill']),
  );
  return Object.freeze({
    limits,
    stdin: optional(fields.stdin, undefined, checkStdin),
    args: optional(fields.args, EMPTY_LIST, (given) => checkList(given, 'args', checkText)),
    env:
      fields.env === undefined
        ? sandbox.env
        : Object.freeze({ ...sandbox.env, ...checkEnvironment(fields.env, 'env') }),
    signal: optional(fields.signal, undefined, checkSignal),
    priority: optional(fields.priority, 0, checkPriority),
    onStdout: optional(fields.onStdout, undefined, (given) => checkFunction<OutputListener>(given, 'onStdout')),
    onStderr: optional(fields.onStderr, undefined, (given) => checkFunction<OutputListener>(given, 'onStderr')),
    killOnOutputLimit: onOutputLimit === 'kill',
    encoding,
  });
}

/** Source text as bytes, at most 64 MiB of them. */
export function checkCode(value: unknown): Uint8Array {
  return refuseThrowing('code', () => readCode(value));
}

function readCode(value: unknown): Uint8Array {
  const expected = `source text, as a string or a Uint8Array of at most ${MAX_CODE_BYTES} bytes`;
  if (types.isUint8Array(value) && value.byteLength <= MAX_CODE_BYTES) return value;
  if (typeof value !== 'string' && !types.isUint8Array(value)) throw invalidOption('code', value, expected);
  const size = Buffer.byteLength(value);
  if (typeof value !== 'string' || size > MAX_CODE_BYTES) {
    throw invalidOption('code', value, expected, { shown: `${size} bytes long` });
  }
  return Buffer.from(value);
}

function optional<T, D>(value: unknown, byDefault: D, check: (value: unknown) => T): T | D {
  return value === undefined ? byDefault : check(value);
}

function defaultConcurrency(): number {
  return Math.min(availableParallelism(), MAX_CONCURRENCY);
}

function checkLanguageName(value: unknown): LanguageName {
  const known = LANGUAGE_NAMES.find((name) => name === value);
  if (known !== undefined) return known;
  const names = AVAILABLE_LANGUAGES.map((name) => `'${name}'`).join(', ');
  const near = typeof value === 'string' ? nearLanguage(value) : undefined;
  throw invalidOption('language', value, `one of ${names} (more come in later versions)`, {
    advice: near === undefined ? undefined : `Did you mean '${near}'?`,
  });
}

function nearLanguage(name: string): LanguageName | undefined {
  return PYTHON_NAME.test(name) ? 'python' : AVAILABLE_LANGUAGES.find((candidate) => isNear(candidate, name));
}

function checkExecutable(value: unknown): string {
  if (checkText(value, 'executable') !== '') return value as string;
  throw invalidOption('executable', value, 'a path or a name, not empty');
}

const MODULE_NAME = /^[\p{XIDS}_][\p{XIDC}]*(?:\.[\p{XIDS}_][\p{XIDC}]*)*$/u;

function checkModuleName(value: unknown, path: string): string {
  if (typeof value === 'string' && MODULE_NAME.test(value)) return value;
  throw invalidOption(path, value, "the name of a module, such as 'numpy' or 'xml.etree'");
}

function checkMaxQueue(value: unknown): number {
  if (value === Number.POSITIVE_INFINITY || (isInteger(value) && value >= 0)) return value;
  throw invalidOption('maxQueue', value, 'an integer of 0 or more, or Infinity');
}

function checkPriority(value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw invalidOption('priority', value, 'a finite number');
}

function checkPolicy(value: unknown, network: boolean): Policy {
  const fields = value === undefined ? {} : readFields(value, 'syscalls', ['allow', 'deny']);
  return buildPolicy({
    network,
    allow: checkSyscallNames(fields, 'allow'),
    deny: checkSyscallNames(fields, 'deny'),
  });
}

function checkRequired(value: unknown, network: boolean): readonly Guarantee[] {
  if (value === undefined) return network ? REQUIRED_WITH_NETWORK : REQUIRED_BY_DEFAULT;
  return checkList(value, 'require', (item, path) => {
    const guarantee = checkOneOf(item, path, GUARANTEES);
    if (guarantee !== 'network' || !network) return guarantee;
    throw invalidOption(path, guarantee, 'a guarantee that `network: true` leaves', {
      advice: "Leave 'network' out of require, or `network: true` out of the options",
    });
  });
}

function checkSyscallNames(fields: { allow?: unknown; deny?: unknown }, name: 'allow' | 'deny'): readonly Syscall[] {
  // That each is the name of a system call is for the policy to say, which has the table.
  return optional(fields[name], EMPTY_LIST, (given) =>
    checkList(given, `syscalls.${name}`, checkText),
  ) as readonly Syscall[];
}

const MOUNT_FIELDS = ['source', 'target', 'writable'] as const satisfies readonly (keyof Mount)[];
/** What each run gets of its own: a view mounted there would lie below it, or open it. */
const PRIVATE_PATHS = ['/proc', '/dev', '/tmp', '/work', '/.pinfold'];
/** A view mounted on one of these, or on what holds one, would hide the runtime. */
const SYSTEM_PATHS = [
  '/usr',
  '/usr/bin',
  '/usr/sbin',
  '/usr/lib',
  '/usr/lib64',
  '/bin',
  '/sbin',
  '/lib',
  '/lib64',
  '/etc',
];

function checkMounts(value: unknown): RuntimeRequest['mounts'] {
  const targets = new Set<string>();
  return checkList(value, 'mounts', (item, path) => {
    const fields = readFields(item, path, MOUNT_FIELDS);
    const source = checkAbsolutePath(fields.source, `${path}.source`);
    const advice =
      fields.target === undefined ? `${path}.target defaults to source: set it to another path` : undefined;
    const target = checkTarget(fields.target === undefined ? source : fields.target, `${path}.target`, advice);
    if (targets.has(target)) {
      throw invalidOption(`${path}.target`, target, 'unlike those of the other mounts', { advice });
    }
    targets.add(target);
    assertExists(source, `${path}.source`);
    const writable = optional(fields.writable, false, (given) => checkBoolean(given, `${path}.writable`));
    return Object.freeze({ source, target, writable });
  });
}

function checkAbsolutePath(value: unknown, path: string): string {
  const text = checkText(value, path);
  const normalized = posix.normalize(text);
  if (posix.isAbsolute(text) && (text === normalized || text === `${normalized}/`)) return text;
  throw invalidOption(path, value, "an absolute path without '.', '..' or doubled slashes");
}

function checkTarget(value: unknown, path: string, advice: string | undefined): string {
  const target = checkAbsolutePath(value, path).replace(/\/$/, '');
  const isPrivate = PRIVATE_PATHS.some((taken) => target === taken || target.startsWith(`${taken}/`));
  if (target === '' || isPrivate) {
    throw invalidOption(path, value, `a path other than / and not in ${PRIVATE_PATHS.join(', ')}`, { advice });
  }
  const hidesSystem = SYSTEM_PATHS.some((needed) => needed === target || needed.startsWith(`${target}/`));
  if (!hidesSystem) return target;
  const expected = `below or beside the system directories, and none of them (${SYSTEM_PATHS.join(', ')})`;
  throw invalidOption(path, value, expected, { advice });
}

function assertExists(source: string, path: string): void {
  try {
    statSync(source);
  } catch (cause) {
    throw invalidOption(path, source, 'a file or directory that exists', { cause });
  }
}

function checkStdin(value: unknown): StdinSource | undefined {
  if (typeof value === 'string') return value === '' ? undefined : { type: 'bytes', bytes: Buffer.from(value) };
  if (types.isUint8Array(value)) return value.byteLength === 0 ? undefined : { type: 'bytes', bytes: value };
  if (isWebStream(value)) {
    if (value.locked) throw invalidOption('stdin', value, 'a ReadableStream that nobody else reads');
    return { type: 'web', stream: value };
  }
  if (isNodeStream(value)) return { type: 'node', stream: value };
  throw invalidOption('stdin', value, 'a string, a Uint8Array, a ReadableStream or a Readable');
}

// By shape, not by class: streams and signals also come from other realms and from packages.
function isWebStream(value: unknown): value is WebStream {
  return hasFunctions(value, ['getReader', 'cancel']);
}

function isNodeStream(value: unknown): value is Readable {
  return hasFunctions(value, ['read', 'on', 'destroy', Symbol.asyncIterator]);
}

function checkSignal(value: unknown): AbortSignal {
  const isSignal =
    hasFunctions(value, ['addEventListener', 'removeEventListener']) &&
    typeof Reflect.get(value, 'aborted') === 'boolean';
  if (isSignal) return value as AbortSignal;
  throw invalidOption('signal', value, 'an AbortSignal');
}

function hasFunctions(value: unknown, names: readonly PropertyKey[]): value is object {
  if (typeof value !== 'object' || value === null) return false;
  return names.every((name) => typeof Reflect.get(value, name) === 'function');
}

function assertFitsString(outputBytes: number, encoding: Encoding): void {
  const { MAX_STRING_LENGTH } = bufferConstants;
  if (encoding === 'buffer' || outputBytes <= MAX_STRING_LENGTH) return;
  throw invalidOption(
    'outputBytes',
    outputBytes,
    `at most ${MAX_STRING_LENGTH}, the longest string, unless encoding is 'buffer'`,
  );
}
