// Any value there is, as options: checked and frozen, or refused with 'invalid-option', whatever looking at it does.
import { describe, expect, vi } from 'vitest';
import { SandboxError } from '../../src/errors.js';
import { checkCode, checkRunOptions, checkSandboxOptions } from '../../src/options.js';
import { fc, fuzz } from './support.js';

vi.mock('../../src/languages/python.js', async () => {
  const { FakeLanguage } = await import('../host/support/fake-language.js');
  return { python: new FakeLanguage() };
});

const sandbox = checkSandboxOptions({ language: 'python' });

class Own {
  readonly wallMs = 5;
}

function fail(): never {
  throw new TypeError('looked at');
}

const trapNames = ['get', 'has', 'ownKeys', 'getOwnPropertyDescriptor', 'getPrototypeOf'] as const;

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

/** A value that is made only when it is tried: fast-check itself may not look at it. */
type Lazy = (() => unknown) & { [fc.toStringMethod]: () => string };

function lazy(shown: string, make: () => unknown): Lazy {
  return Object.assign(() => make(), { [fc.toStringMethod]: () => shown });
}

const anything = fc
  .anything({
    maxDepth: 2,
    withBigInt: true,
    withBoxedValues: true,
    withDate: true,
    withMap: true,
    withNullPrototype: true,
    withObjectString: true,
    withSet: true,
    withSparseArray: true,
    withTypedArray: true,
  })
  .map((value) => lazy(fc.stringify(value), () => value));

const throwing = (thrown: () => unknown) => () => {
  throw thrown();
};

const exotic: fc.Arbitrary<Lazy> = fc
  .constantFrom<() => unknown>(
    () => new Own(),
    () => Symbol('s'),
    () => fail,
    () => revoked({}),
    () => revoked([]),
    () => revoked(fail),
    () => Object.create({ wallMs: 1 }),
    () => Object.freeze({ wallMs: Number.NaN }),
    () => new Proxy([], { get: (_, key) => (key === 'length' ? 2 ** 40 : fail()) }),
    () => new Proxy([], { get: (_, key) => (key === 'length' ? Number.NaN : 'x') }),
    () => new Proxy({}, { ownKeys: throwing(() => undefined) }),
    () => new Proxy({}, { ownKeys: throwing(() => revoked({})) }),
    () => new Proxy({}, { ownKeys: throwing(() => new SandboxError('closed', 'x')) }),
    () => Object.defineProperty(new Uint8Array(3), 'byteLength', { get: fail }),
    () => Object.defineProperty([], 'toString', { value: fail }),
    () => ({ [Symbol.toPrimitive]: fail, toString: fail, valueOf: fail }),
    () => ({ getReader: fail, cancel: fail, locked: 'x' }),
    () => Object.defineProperty({ getReader: fail, cancel: fail }, 'locked', { get: fail }),
    () => Object.defineProperty({}, 'wallMs', { enumerable: true, get: fail }),
    () => Object.defineProperty({}, 'A', { enumerable: true, get: fail }),
    () => process.env,
    () => globalThis,
    () => new Error('x', { cause: new Own() }),
    ...trapNames.flatMap((trap) => [() => new Proxy({}, { [trap]: fail }), () => new Proxy([], { [trap]: fail })]),
  )
  .map((make) => lazy(String(make), make));

function listOf(items: fc.Arbitrary<Lazy>): fc.Arbitrary<Lazy> {
  return fc.array(items, { maxLength: 3 }).map((all) => lazy(fc.stringify(all), () => all.map((make) => make())));
}

function recordOf(keys: readonly string[], values: fc.Arbitrary<Lazy>, fixed: object = {}): fc.Arbitrary<Lazy> {
  return fc.dictionary(fc.constantFrom(...keys), values, { maxKeys: 3 }).map((fields) =>
    lazy(fc.stringify(fields), () => {
      const made = Object.entries(fields).map(([key, make]) => [key, make()] as const);
      return { ...fixed, ...Object.fromEntries(made) };
    }),
  );
}

function withGetter(keys: readonly string[], values: fc.Arbitrary<Lazy>, fixed: object): fc.Arbitrary<Lazy> {
  return fc
    .tuple(fc.constantFrom(...keys), values)
    .map(([key, get]) =>
      lazy(`get ${key}() ${fc.stringify(get)}`, () =>
        Object.defineProperty({ ...fixed }, key, { configurable: true, enumerable: true, get }),
      ),
    );
}

const names = [
  'os',
  'a.b',
  'read',
  'execve',
  'personality',
  '/usr',
  '/etc/',
  '/data',
  'filesystem',
  'memory',
  '64MiB',
  '',
];
const likely = fc
  .constantFrom<unknown>(0, 1, 5, -0, 1.5, 1e9, Number.POSITIVE_INFINITY, true, false, null, undefined, ...names)
  .map((value) => lazy(fc.stringify(value), () => value));
const innerKeys = ['wallMs', 'memoryBytes', 'A', '__proto__', 'allow', 'deny'];
const mount = recordOf(['source', 'target', 'writable'], fc.oneof(likely, exotic));
const part = fc.oneof(anything, exotic, likely);
const value = fc.oneof(part, listOf(part), recordOf(innerKeys, fc.oneof(part, listOf(part))), listOf(mount));

const sandboxKeys = 'executable preload concurrency maxQueue warm limits network mounts env syscalls require'.split(
  ' ',
);
const runKeys =
  'wallMs cpuMs memoryBytes processes openFiles outputBytes scratchBytes stdin args env files collect input output signal priority onStdout onStderr onOutputLimit encoding'.split(
    ' ',
  );

function optionsOf(keys: readonly string[], fixed: object = {}): fc.Arbitrary<Lazy> {
  return fc.oneof(
    { weight: 8, arbitrary: recordOf(keys, value, fixed) },
    { weight: 1, arbitrary: withGetter(keys, value, fixed) },
    { weight: 1, arbitrary: value },
  );
}

/** Of what was accepted: all that is ours, and not the caller's own stream or signal. */
function isFrozen(checked: object): boolean {
  const ours = ['env', 'preload', 'limits', 'mounts', 'require', 'args'];
  const parts = ours.map((name) => Reflect.get(checked, name) as unknown);
  return Object.isFrozen(checked) && parts.every((part) => Object.isFrozen(part));
}

function frozenOrRefused(check: () => object): void {
  let checked: object;
  try {
    checked = check();
  } catch (error) {
    if (!(error instanceof SandboxError)) throw error;
    expect(error.code).toBe('invalid-option');
    expect(error.message.length).toBeLessThan(1_000);
    return;
  }
  expect(isFrozen(checked)).toBe(true);
}

describe('options are frozen or refused', () => {
  fuzz('of a sandbox', optionsOf(sandboxKeys, { language: 'python' }), (make) => {
    frozenOrRefused(() => checkSandboxOptions(make()));
  });

  fuzz('of a run', optionsOf(runKeys), (make) => {
    frozenOrRefused(() => checkRunOptions(make(), sandbox));
  });

  fuzz('and code is bytes or refused', part, (make) => {
    frozenOrRefused(() => {
      expect(checkCode(make())).toBeInstanceOf(Uint8Array);
      return Object.freeze({});
    });
  });
});
