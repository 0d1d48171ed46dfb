import { PassThrough, Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { describe, expect, test, vi } from 'vitest';
import { SandboxError } from '../../src/errors.js';
import { findLanguage, LANGUAGE_NAMES } from '../../src/languages/index.js';
import { checkCode, checkRunOptions, checkSandboxOptions } from '../../src/options.js';

vi.mock('../../src/languages/python.js', async () => {
  const { FakeLanguage } = await import('./support/fake-language.js');
  return { python: new FakeLanguage() };
});

const python = { language: 'python' };
const sandbox = checkSandboxOptions(python);

function refusalOf(check: () => unknown): SandboxError {
  try {
    check();
  } catch (error) {
    expect(error).toBeInstanceOf(SandboxError);
    expect((error as SandboxError).code).toBe('invalid-option');
    return error as SandboxError;
  }
  throw new Error('It was accepted');
}

const MIB = 1024 * 1024;

/** No integer limit takes any of these. */
const badNumbers: readonly [string, unknown][] = [
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['-1', -1],
  ['-0', -0],
  ['1.5', 1.5],
  ['the smallest fraction', Number.MIN_VALUE],
  ['2**53', 2 ** 53],
  ['1e300', 1e300],
  ["'5'", '5'],
  ["''", ''],
  ['null', null],
  ['true', true],
  ['5n', 5n],
  ['[5]', [5]],
  ['an object', { valueOf: () => 5 }],
  ['a Number', Object(5)],
  ['a symbol', Symbol('5')],
  ['a function', () => 5],
];

const badSizes: readonly [string, unknown][] = [
  ...badNumbers,
  ...[
    '5',
    'MiB',
    '1',
    '64MB',
    '64mib',
    '64 MiB',
    ' 64MiB',
    '64MiB ',
    '64MiB\n',
    '-64MiB',
    '+64MiB',
    '064MiB',
    '.5GiB',
    '5.GiB',
    '1e3MiB',
    '0x40MiB',
    '0.3KiB',
    '1048576.5B',
    'NaNMiB',
    'InfinityGiB',
    '9007199254740992B',
    '9999999999999999GiB',
    '٦٤MiB',
    'sixty-four',
    '1MiB1MiB',
    `${'1'.repeat(10_000)}B`,
    'constructorB',
  ].map((text): [string, unknown] => [`'${text.slice(0, 20)}'`, text]),
];

const counts = {
  wallMs: [1, 2 ** 31 - 1],
  cpuMs: [1, 2 ** 31 - 1],
  processes: [1, 2 ** 22],
  openFiles: [4, 2 ** 20],
} as const;
const sizes = {
  memoryBytes: [MIB, Number.MAX_SAFE_INTEGER],
  outputBytes: [0, 2 ** 32 - 1],
  scratchBytes: [4096, Number.MAX_SAFE_INTEGER],
} as const;

describe.each(Object.entries({ ...counts, ...sizes }))('%s', (name, [min, max]) => {
  const bad = name in sizes ? badSizes : badNumbers;

  test.each(bad)('%s is refused, for a run and for a sandbox', (_, value) => {
    expect(refusalOf(() => checkRunOptions({ [name]: value }, sandbox)).message).toMatch(
      new RegExp(`^${name} must be `),
    );
    const ofSandbox = refusalOf(() => checkSandboxOptions({ ...python, limits: { [name]: value } }));
    expect(ofSandbox.message).toMatch(new RegExp(`^limits\\.${name} must be `));
  });

  test('the bounds are accepted, one beyond is refused', () => {
    const options = { encoding: 'buffer' };
    for (const value of [min, max]) {
      const { limits } = checkRunOptions({ ...options, [name]: value }, sandbox);
      expect(limits[name as keyof typeof limits]).toBe(value);
      expect(checkSandboxOptions({ ...python, limits: { [name]: value } }).limits).toEqual({ [name]: value });
    }
    for (const value of [min - 1, max + 1]) {
      const { message } = refusalOf(() => checkRunOptions({ ...options, [name]: value }, sandbox));
      expect(message).toContain(String(min));
      expect(message).toContain(String(max));
      expect(message).toContain(String(value));
    }
  });
});

test.each([
  ['1048576B', MIB],
  ['1024KiB', MIB],
  ['1MiB', MIB],
  ['1.5MiB', 1.5 * MIB],
  ['0.0009765625GiB', MIB],
  ['1048577.000B', MIB + 1],
  ['8388607GiB', 8_388_607 * 1024 * MIB],
])('%s is %d bytes', (text, bytes) => {
  expect(checkRunOptions({ memoryBytes: text }, sandbox).limits.memoryBytes).toBe(bytes);
});

test('limits default, then the sandbox, then the run', () => {
  expect(checkRunOptions(undefined, sandbox).limits).toEqual({
    wallMs: 5_000,
    cpuMs: 5_000,
    memoryBytes: 256 * MIB,
    processes: 32,
    openFiles: 128,
    outputBytes: MIB,
    scratchBytes: 64 * MIB,
  });
  const limited = checkSandboxOptions({ ...python, limits: { wallMs: 1_000, processes: 4, openFiles: undefined } });
  expect(checkRunOptions({ wallMs: 2_000, processes: undefined }, limited).limits).toMatchObject({
    wallMs: 2_000,
    cpuMs: 2_000,
    processes: 4,
    openFiles: 128,
  });
  const cpuLimited = checkSandboxOptions({ ...python, limits: { cpuMs: 10 } });
  expect(checkRunOptions({ wallMs: 2_000 }, cpuLimited).limits).toMatchObject({ wallMs: 2_000, cpuMs: 10 });
});

describe('options of a sandbox that are refused', () => {
  const notObjects: [string, unknown, string][] = [
    null,
    'python',
    5,
    [],
    new Map(),
    new Date(),
    () => ({}),
    Object.create({ a: 1 }),
  ].map((value) => [String(value), value, 'options must be a plain object']);
  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;

  test.each<[string, unknown, string]>([
    ...notObjects.map(([name, value, message]): [string, unknown, string] => [`options: ${name}`, value, message]),
    ['an unknown key', { ...python, langauge: 'python' }, "no option 'langauge'. Did you mean 'language'?"],
    ['a key with a letter too many', { ...python, warmm: 1 }, "Did you mean 'warm'?"],
    ['a key with a letter missing', { ...python, moun: [] }, "no option 'moun'. The options are language, "],
    ['a key in another case', { ...python, maxqueue: 1 }, "Did you mean 'maxQueue'?"],
    ['a symbol as a key', { ...python, [Symbol('s')]: 1 }, 'no option Symbol(s)'],
    ['__proto__ as a key', { ...python, ['__proto__']: 1 }, "no option '__proto__'"],
    ['a hidden key', Object.defineProperty({ ...python }, 'timeout', { value: 1 }), "no option 'timeout'"],
    ['no language', {}, "language ('node') is not available in 0.1: use 'python'"],
    ['node', { language: 'node' }, "language ('node') is not available in 0.1"],
    [
      'an unknown language',
      { language: 'ruby' },
      "language must be one of 'python' (more come in later versions), but is 'ruby'",
    ],
    ['a language that is no string', { language: ['python'] }, 'language must be one of'],
    ['an empty executable', { ...python, executable: '' }, 'executable must be a path or a name, not empty'],
    ['an executable with a NUL', { ...python, executable: 'a\0b' }, 'executable must be a string without a NUL'],
    [
      'an executable that is no string',
      { ...python, executable: 5 },
      'executable must be a string without a NUL, but is 5',
    ],
    ['preload: a string', { ...python, preload: 'numpy' }, "preload must be an array, but is 'numpy'"],
    [
      'preload: a path',
      { ...python, preload: ['os', './a.py'] },
      "preload[1] must be the name of a module, such as 'numpy'",
    ],
    ['preload: code', { ...python, preload: ['os;import sys'] }, 'preload[0] must be the name of a module'],
    ['preload: a dot too many', { ...python, preload: ['os.'] }, 'preload[0] must be'],
    ['preload: a digit first', { ...python, preload: ['1a'] }, 'preload[0] must be'],
    ['preload: a newline', { ...python, preload: ['os\n'] }, 'preload[0] must be'],
    ['preload: a hole', { ...python, preload: new Array(1) }, 'preload[0] must be the name of a module, such as'],
    ['preload: an array-like', { ...python, preload: { length: 1, 0: 'os' } }, 'preload must be an array'],
    ['preload: too long', { ...python, preload: new Array(2 ** 32 - 1) }, 'preload.length must be at most 65536'],
    ['concurrency 0', { ...python, concurrency: 0 }, 'concurrency must be an integer from 1 to 1024, but is 0'],
    [
      'concurrency 1025',
      { ...python, concurrency: 1025 },
      'concurrency must be an integer from 1 to 1024, but is 1025',
    ],
    ['warm 1025', { ...python, warm: 1025 }, 'warm must be an integer from 0 to 1024, but is 1025'],
    ['limits: null', { ...python, limits: null }, 'limits must be a plain object, but is null'],
    [
      'limits: an unknown key',
      { ...python, limits: { wallMS: 1 } },
      "limits has no option 'wallMS'. Did you mean 'wallMs'?",
    ],
    ['network: 1', { ...python, network: 1 }, 'network must be true or false, but is 1'],
    ['network: null', { ...python, network: null }, 'network must be true or false, but is null'],
    ['network: text', { ...python, network: 'true' }, "network must be true or false, but is 'true'"],
    ['network: host', { ...python, network: 'host' }, "network must be true or false, but is 'host'"],
    ['network: rules', { ...python, network: { allow: [] } }, 'network must be true or false, but is {'],
    ['network: a list', { ...python, network: [] }, 'network must be true or false, but is []'],
    ['network: an object', { ...python, network: new Boolean(true) }, 'network must be true or false, but is [Boolean'],
    [
      'network: true, and required to be closed',
      { ...python, network: true, require: ['syscalls', 'network'] },
      "require[1] must be a guarantee that `network: true` leaves, but is 'network'",
    ],
    ['mounts: an object', { ...python, mounts: { source: '/usr' } }, 'mounts must be an array'],
    ['mounts: a string', { ...python, mounts: ['/usr'] }, "mounts[0] must be a plain object, but is '/usr'"],
    [
      'mounts: no source',
      { ...python, mounts: [{}] },
      'mounts[0].source must be a string without a NUL, but is undefined',
    ],
    [
      'mounts: a relative source',
      { ...python, mounts: [{ source: 'usr' }] },
      'mounts[0].source must be an absolute path',
    ],
    [
      'mounts: dots in the source',
      { ...python, mounts: [{ source: '/usr/../etc' }] },
      'mounts[0].source must be an absolute path',
    ],
    ['mounts: a NUL', { ...python, mounts: [{ source: '/usr\0' }] }, 'mounts[0].source must be a string without a NUL'],
    [
      'mounts: no such source',
      { ...python, mounts: [{ source: '/no/such' }] },
      'mounts[0].source must be a file or directory that exists',
    ],
    [
      'mounts: an unknown key',
      { ...python, mounts: [{ source: '/usr', writeable: true }] },
      "Did you mean 'writable'?",
    ],
    [
      'mounts: writable 1',
      { ...python, mounts: [{ source: '/usr/share', writable: 1 }] },
      'mounts[0].writable must be true or false',
    ],
    [
      'mounts: a null target',
      { ...python, mounts: [{ source: '/usr', target: null }] },
      'mounts[0].target must be a string',
    ],
    ...['usr', '', '/data/..', '/data/./x', '//data', '/data//x'].map((target): [string, unknown, string] => [
      `mounts: target '${target}'`,
      { ...python, mounts: [{ source: '/usr', target }] },
      'mounts[0].target must be an absolute path',
    ]),
    ...[
      '/',
      '/proc',
      '/proc/',
      '/proc/self',
      '/dev',
      '/dev/shm',
      '/tmp',
      '/tmp/data',
      '/work',
      '/work/data',
      '/.pinfold',
    ].map((target): [string, unknown, string] => [
      `mounts: target '${target}'`,
      { ...python, mounts: [{ source: '/usr', target }] },
      'mounts[0].target must be a path other than / and not in /proc, /dev, /tmp, /work, /.pinfold',
    ]),
    ...[
      '/usr',
      '/usr/',
      '/usr/bin',
      '/usr/sbin',
      '/usr/lib',
      '/usr/lib64',
      '/bin',
      '/sbin',
      '/lib',
      '/lib64',
      '/etc',
    ].map((target): [string, unknown, string] => [
      `mounts: target '${target}'`,
      { ...python, mounts: [{ source: '/etc', target }] },
      'mounts[0].target must be below or beside the system directories, and none of them (/usr, ',
    ]),
    [
      'mounts: a source in /tmp without a target',
      { ...python, mounts: [{ source: '/tmp' }] },
      "but is '/tmp'. mounts[0].target defaults to source: set it to another path",
    ],
    [
      'mounts: a system directory without a target',
      { ...python, mounts: [{ source: '/usr' }] },
      'mounts[0].target defaults to source: set it to another path',
    ],
    [
      'mounts: one target twice',
      {
        ...python,
        mounts: [
          { source: '/usr', target: '/data' },
          { source: '/etc', target: '/data/' },
        ],
      },
      'mounts[1].target must be unlike those of the other mounts',
    ],
    ['env: a list', { ...python, env: ['A=1'] }, 'env must be a plain object of strings'],
    ['env: a number', { ...python, env: { A: 1 } }, 'env.A must be a string without a NUL, but is a number'],
    ['limits beside the others', { ...python, wallMs: 5 }, "no option 'wallMs'. Put it in 'limits': { limits: {"],
    ['env: undefined', { ...python, env: { A: undefined } }, 'env.A must be a string without a NUL, but is undefined'],
    ['env: a NUL in a value', { ...python, env: { A: 'a\0' } }, 'env.A must be a string without a NUL'],
    [
      'env: = in a name',
      { ...python, env: { 'A=B': '' } },
      "a name in env must be a string that is not empty and holds neither '='",
    ],
    ['env: a NUL in a name', { ...python, env: { 'A\0': '' } }, 'a name in env must be'],
    ['env: an empty name', { ...python, env: { '': '' } }, 'a name in env must be'],
    ['env: a symbol', { ...python, env: { [Symbol('s')]: '' } }, 'a name in env must be'],
    ['syscalls: a list', { ...python, syscalls: ['read'] }, 'syscalls must be a plain object'],
    [
      'syscalls: an unknown key',
      { ...python, syscalls: { denied: [] } },
      "syscalls has no option 'denied'. The options are allow, deny",
    ],
    ['syscalls: a string', { ...python, syscalls: { allow: 'read' } }, 'syscalls.allow must be an array'],
    [
      'syscalls: a number',
      { ...python, syscalls: { deny: [0] } },
      'syscalls.deny[0] must be a string without a NUL, but is 0',
    ],
    ['syscalls: an unknown name', { ...python, syscalls: { deny: ['raed'] } }, 'raed'],
    ['syscalls: one that breaks a guarantee', { ...python, syscalls: { allow: ['mount'] } }, 'mount'],
    [
      'require: an unknown guarantee',
      { ...python, require: ['filesystem', 'disk'] },
      "require[1] must be one of 'filesystem'",
    ],
    ['require: a string', { ...python, require: 'cpu' }, 'require must be an array'],
  ])('%s', (_, options, message) => {
    expect(refusalOf(() => checkSandboxOptions(options)).message).toContain(message);
  });

  test.each(badNumbers)('concurrency: %s', (_, value) => {
    expect(refusalOf(() => checkSandboxOptions({ ...python, concurrency: value })).message).toMatch(
      /^concurrency must be/,
    );
  });

  test.each(badNumbers.filter(([name]) => name !== 'Infinity'))('maxQueue: %s', (_, value) => {
    expect(refusalOf(() => checkSandboxOptions({ ...python, maxQueue: value })).message).toMatch(/^maxQueue must be/);
  });

  test.each(badNumbers)('warm: %s', (_, value) => {
    expect(refusalOf(() => checkSandboxOptions({ ...python, warm: value })).message).toMatch(/^warm must be/);
  });
});

describe('options of a run that are refused', () => {
  const locked = new ReadableStream();
  locked.getReader();

  test.each<[string, unknown, string]>([
    ['options: null', null, 'options must be a plain object, but is null'],
    ['options: a string', 'x', "options must be a plain object, but is 'x'"],
    ['a bare timeout', { timeout: 5 }, "no option 'timeout'. The options are wallMs, "],
    ['limits of a sandbox', { limits: {} }, "no option 'limits'. The limits of a run are given directly: {"],
    ['files', { files: {} }, 'files ({}) is not available in 0.1: leave it out'],
    ['collect', { collect: [] }, 'collect ([]) is not available in 0.1: leave it out'],
    ['input', { input: null }, 'input (null) is not available in 0.1: leave it out'],
    ['output', { output: {} }, 'output ({}) is not available in 0.1: leave it out'],
    ['stdin: a number', { stdin: 5 }, 'stdin must be a string, a Uint8Array, a ReadableStream or a Readable, but is 5'],
    ['stdin: null', { stdin: null }, 'stdin must be'],
    ['stdin: an array', { stdin: [1] }, 'stdin must be'],
    ['stdin: an ArrayBuffer', { stdin: new ArrayBuffer(1) }, 'stdin must be'],
    ['stdin: a locked stream', { stdin: locked }, 'stdin must be a ReadableStream that nobody else reads'],
    ['args: a string', { args: '-v' }, "args must be an array, but is '-v'"],
    ['args: a number', { args: ['a', 1] }, 'args[1] must be a string without a NUL, but is 1'],
    ['args: a NUL', { args: ['a\0b'] }, "args[0] must be a string without a NUL, but is 'a\\x00b'"],
    ['env: a number', { env: { A: 1 } }, 'env.A must be a string without a NUL, but is a number'],
    ['signal: true', { signal: true }, 'signal must be an AbortSignal, but is true'],
    ['signal: a controller', { signal: new AbortController() }, 'signal must be an AbortSignal'],
    ['priority: NaN', { priority: Number.NaN }, 'priority must be a finite number, but is NaN'],
    ['priority: Infinity', { priority: Number.POSITIVE_INFINITY }, 'priority must be a finite number, but is Infinity'],
    ['priority: a string', { priority: '1' }, "priority must be a finite number, but is '1'"],
    ['onStdout: true', { onStdout: true }, 'onStdout must be a function, but is true'],
    ['onStderr: a stream', { onStderr: new PassThrough() }, 'onStderr must be a function'],
    [
      'onOutputLimit: drop',
      { onOutputLimit: 'drop' },
      "onOutputLimit must be one of 'truncate', 'kill', but is 'drop'",
    ],
    ['encoding: latin1', { encoding: 'latin1' }, "encoding must be one of 'utf8', 'buffer', but is 'latin1'"],
    ['encoding: null', { encoding: null }, "encoding must be one of 'utf8', 'buffer', but is null"],
    ['more output than a string holds', { outputBytes: '1GiB' }, 'the longest string, unless encoding is'],
  ])('%s', (_, options, message) => {
    expect(refusalOf(() => checkRunOptions(options, sandbox)).message).toContain(message);
  });
});

test.each<[string, unknown]>([
  ['an argv array', ['python3', 'main.py']],
  ['undefined', undefined],
  ['null', null],
  ['a number', 5],
  ['an ArrayBuffer', new ArrayBuffer(1)],
  ['a DataView', new DataView(new ArrayBuffer(1))],
  ['other numbers', new Uint16Array(1)],
  ['a String', Object('x')],
])('code: %s is refused', (_, code) => {
  expect(refusalOf(() => checkCode(code)).message).toMatch(
    /^code must be source text, .* of at most 67108864 bytes, but is /,
  );
});

test.each([
  ['a byte', new Uint8Array(64 * MIB + 1)],
  ['a character', 'x'.repeat(64 * MIB + 1)],
])('code: %s too many is told as a size', (_, code) => {
  expect(refusalOf(() => checkCode(code)).message).toMatch(/of at most 67108864 bytes, but is 67108865 bytes long$/);
});

test.each(['python3', 'Python', 'py', 'python3.12', 'CPython', 'pyhton'])(
  'language %s is meant as python',
  (language) => {
    expect(refusalOf(() => checkSandboxOptions({ language })).message).toBe(
      `language must be one of 'python' (more come in later versions), but is '${language}'. Did you mean 'python'?`,
    );
  },
);

test('the languages that a message offers are those of this version', () => {
  const { message } = refusalOf(() => checkSandboxOptions({ language: 'ruby' }));
  for (const name of LANGUAGE_NAMES) {
    if (message.includes(`'${name}'`)) expect(findLanguage(name)).toBeDefined();
    else expect(() => findLanguage(name)).toThrow('is not available');
  }
});

test('a host path below a system directory may be covered', () => {
  const mounts = ['/usr/share/x', '/etc/app.conf', '/usr/local', '/library'].map((target) => ({
    source: '/etc',
    target,
  }));
  expect(checkSandboxOptions({ ...python, mounts }).mounts).toHaveLength(4);
});

describe('no message shows a value of env', () => {
  const secret = 'hunter2';
  class Variables {
    readonly TOKEN = secret;
  }
  vi.stubEnv('PINFOLD_TEST_TOKEN', secret);

  test.each<[string, unknown]>([
    ['an instance', new Variables()],
    ['process.env', process.env],
    ['a Map', new Map([['TOKEN', secret]])],
    ['a list', [`TOKEN=${secret}`]],
    ['a text', secret],
  ])('%s', (_, env) => {
    for (const check of [() => checkSandboxOptions({ ...python, env }), () => checkRunOptions({ env }, sandbox)]) {
      const { message } = refusalOf(check);
      expect(message).toMatch(/^env must be a plain object of strings, .*\{ \.\.\.process\.env \}$/);
      expect(message).not.toContain(secret);
    }
  });

  test.each<[string, unknown, string]>([
    ['a NUL', { TOKEN: `${secret}\0` }, 'env.TOKEN must be a string without a NUL, but is one with a NUL'],
    ['a list', { TOKEN: [secret] }, 'env.TOKEN must be a string without a NUL, but is an array'],
    ['an object', { TOKEN: { secret } }, 'env.TOKEN must be a string without a NUL, but is an object'],
    ['null', { TOKEN: null }, 'env.TOKEN must be a string without a NUL, but is null'],
    ['a function', { TOKEN: () => secret }, 'env.TOKEN must be a string without a NUL, but is a function'],
    ['a pair as a name', { [`TOKEN=${secret}\n${secret}`]: '' }, "but is 'TOKEN='…"],
  ])('%s', (_, env, message) => {
    const refusal = refusalOf(() => checkRunOptions({ env }, sandbox));
    expect(refusal.message).toContain(message);
    expect(refusal.message).not.toContain(secret);
  });

  test('a copy of process.env is accepted', () => {
    expect(checkRunOptions({ env: { ...process.env } }, sandbox).env).toMatchObject({ PINFOLD_TEST_TOKEN: secret });
  });
});

test('code: text, bytes and the largest of both are accepted', () => {
  expect(checkCode('ä')).toEqual(Buffer.from('ä'));
  expect(checkCode('')).toHaveLength(0);
  expect(checkCode(new Uint8Array([1]))).toEqual(new Uint8Array([1]));
  expect(checkCode(new Uint8Array(64 * MIB))).toHaveLength(64 * MIB);
});

test('everything that is documented is accepted', () => {
  const checked = checkSandboxOptions({
    language: 'python',
    executable: 'python3.12',
    preload: ['numpy', 'xml.etree', '_x', 'größe'],
    concurrency: 1_024,
    maxQueue: Number.POSITIVE_INFINITY,
    warm: 0,
    limits: { wallMs: 10, memoryBytes: '128MiB' },
    network: false,
    mounts: [{ source: '/usr/share' }, { source: '/etc/', target: '/data/etc', writable: true }],
    env: { LANG: 'C', 'weird name!': '', ['__proto__']: 'x' },
    syscalls: { allow: [], deny: ['personality'] },
    require: ['syscalls', 'memory'],
  });
  expect(checked).toMatchObject({
    executable: 'python3.12',
    preload: ['numpy', 'xml.etree', '_x', 'größe'],
    concurrency: 1_024,
    maxQueue: Number.POSITIVE_INFINITY,
    warm: 0,
    limits: { wallMs: 10, memoryBytes: 128 * MIB },
    network: false,
    mounts: [
      { source: '/usr/share', target: '/usr/share', writable: false },
      { source: '/etc/', target: '/data/etc', writable: true },
    ],
    require: ['syscalls', 'memory'],
  });
  expect(Object.entries(checked.env)).toEqual([
    ['LANG', 'C'],
    ['weird name!', ''],
    ['__proto__', 'x'],
  ]);
  const signal = AbortSignal.abort();
  const stream = new ReadableStream<Uint8Array>();
  const run = checkRunOptions(
    {
      stdin: stream,
      args: ['-c', '\n'],
      env: { LANG: 'de' },
      signal,
      priority: -1.5,
      onOutputLimit: 'kill',
      encoding: 'buffer',
    },
    checked,
  );
  expect(run).toMatchObject({
    args: ['-c', '\n'],
    signal,
    priority: -1.5,
    killOnOutputLimit: true,
    encoding: 'buffer',
  });
  expect(run.stdin).toEqual({ type: 'web', stream });
  expect(Object.entries(run.env)).toEqual([
    ['LANG', 'de'],
    ['weird name!', ''],
    ['__proto__', 'x'],
  ]);
  expect(checkRunOptions({ stdin: Readable.from([]) }, checked).stdin).toMatchObject({ type: 'node' });
  expect(checkRunOptions({ stdin: '' }, checked).stdin).toBeUndefined();
});

test('defaults', () => {
  expect(checkSandboxOptions(python)).toMatchObject({
    executable: undefined,
    preload: [],
    maxQueue: Number.POSITIVE_INFINITY,
    warm: sandbox.concurrency,
    network: false,
    mounts: [],
    env: {},
    require: ['filesystem', 'network', 'processes', 'privileges', 'syscalls'],
  });
  expect(checkSandboxOptions({ ...python, network: true })).toMatchObject({
    network: true,
    require: ['filesystem', 'processes', 'privileges', 'syscalls'],
  });
  expect(sandbox.concurrency).toBeGreaterThanOrEqual(1);
});

test('every property is read once, and later changes change nothing', () => {
  const reads: string[] = [];
  const counting = (target: object): object =>
    new Proxy(target, {
      get: (object, key, receiver) => {
        const value: unknown = Reflect.get(object, key, receiver);
        if (typeof key === 'string' && Object.hasOwn(object, key)) reads.push(key);
        return value;
      },
    });
  const env = { A: '1' };
  const preload = ['os'];
  const options = { ...python, limits: counting({ wallMs: 5 }), env: counting(env), preload, warm: 3 };
  const checked = checkSandboxOptions(counting(options));
  expect(reads.toSorted()).toEqual(['A', 'env', 'language', 'limits', 'preload', 'wallMs', 'warm']);

  env.A = '2';
  preload.push('sys');
  options.warm = 4;
  expect(checked).toMatchObject({ env: { A: '1' }, preload: ['os'], warm: 3 });
  for (const part of [checked, checked.env, checked.preload, checked.limits, checked.mounts, checked.require]) {
    expect(Object.isFrozen(part)).toBe(true);
  }
});

test('a getter that changes its mind is asked once', () => {
  let asked = 0;
  const options = {
    get wallMs() {
      return ++asked === 1 ? 5 : Number.POSITIVE_INFINITY;
    },
  };
  expect(checkRunOptions(options, sandbox).limits.wallMs).toBe(5);
});

test('what Object.prototype was polluted with is not seen', () => {
  Object.defineProperty(Object.prototype, 'network', {
    value: true,
    configurable: true,
    enumerable: true,
    writable: true,
  });
  try {
    expect(checkSandboxOptions(python).network).toBe(false);
  } finally {
    Reflect.deleteProperty(Object.prototype, 'network');
  }
});

test('a message shows the value shortened, on one line, and runs none of its code', () => {
  let wasRun = false;
  const trap = {
    [Symbol.for('nodejs.util.inspect.custom')]: () => {
      wasRun = true;
      return 'x';
    },
    toString: () => {
      wasRun = true;
      return 'x';
    },
  };
  refusalOf(() => checkSandboxOptions({ ...python, warm: trap }));
  expect(wasRun).toBe(false);
  const { message } = refusalOf(() => checkSandboxOptions({ ...python, warm: `line\n${'x'.repeat(1e6)}` }));
  expect(message).toContain("but is 'line\\nxxx");
  expect(message.length).toBeLessThan(200);
  expect(message).not.toContain('\n');
});

test('an error of a getter or a proxy is a refusal, with that error as its cause', () => {
  const cause = new TypeError('mine');
  const throwing = () => {
    throw cause;
  };
  const options = Object.defineProperty({ ...python }, 'warm', { enumerable: true, get: throwing });
  for (const check of [
    () => checkSandboxOptions(options),
    () => checkRunOptions({ env: new Proxy({}, { ownKeys: throwing }) }, sandbox),
    () => checkCode(Object.defineProperty(new Uint8Array(1), 'byteLength', { get: throwing })),
  ]) {
    const refusal = refusalOf(check);
    expect(refusal.message).toMatch(/^(options|code) can't be read: /);
    expect(refusal.cause).toBe(cause);
  }
});
