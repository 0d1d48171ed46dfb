import { inspect } from 'node:util';
import { SandboxError } from './errors.js';

/** Checks of single values. Each returns what it checked, or throws SandboxError 'invalid-option' with path and value. */

const SHOWN_LENGTH = 80;

interface Refusal extends ErrorOptions {
  /** Instead of the value, where that is too large or secret. */
  readonly shown?: string | undefined;
  /** A sentence that says what to do, without its full stop. */
  readonly advice?: string | undefined;
}

/** `path` is the option as a caller would write it, such as `limits.wallMs`; `expected` completes "must be …". */
export function invalidOption(
  path: string,
  value: unknown,
  expected: string,
  { shown, advice, ...options }: Refusal = {},
): SandboxError {
  const fault = `${path} must be ${expected}, but is ${shown ?? show(value)}`;
  return new SandboxError('invalid-option', advice === undefined ? fault : `${fault}. ${advice}`, options);
}

/** What exists in the interface, but not yet behind it. */
export function notAvailable(path: string, value: unknown, instead: string): SandboxError {
  return new SandboxError('invalid-option', `${path} (${show(value)}) is not available in 0.1: ${instead}`);
}

/** Runs checks of `what`. An error of the caller's own, from a getter or a proxy that a check looked at, is a refusal too. */
export function refuseThrowing<T>(what: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (isRefusal(error)) throw error;
    throw new SandboxError('invalid-option', `${what} can't be read: a getter or a proxy in it throws`, {
      cause: error,
    });
  }
}

function isRefusal(error: unknown): boolean {
  try {
    return error instanceof SandboxError && error.code === 'invalid-option';
  } catch {
    // A proxy can be thrown as well.
    return false;
  }
}

function show(value: unknown): string {
  let text: string;
  try {
    // No getters, proxies or custom inspectors: looking at a bad value must not run the code in it.
    text = inspect(typeof value === 'string' ? value.slice(0, SHOWN_LENGTH + 1) : value, {
      breakLength: Number.POSITIVE_INFINITY,
      customInspect: false,
      depth: 0,
      maxArrayLength: 4,
      maxStringLength: SHOWN_LENGTH,
    });
  } catch {
    text = `a ${typeof value}`;
  }
  return text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text;
}

/**
 * Takes an options object apart: a plain object whose own keys are all known. Each property is read once, so that a getter or
 * a proxy can't show one value to the check and another one later; what is inherited is never seen. `hints` say where a key
 * belongs that is often put in the wrong place.
 */
export function readFields<K extends string>(
  value: unknown,
  path: string,
  known: readonly K[],
  hints: ReadonlyMap<unknown, string> = NO_HINTS,
): { [Key in K]: unknown } {
  if (!isPlainObject(value)) throw invalidOption(path, value, 'a plain object');
  const fields = Object.fromEntries(known.map((key) => [key, undefined])) as { [Key in K]: unknown };
  for (const key of Reflect.ownKeys(value)) {
    if (!isOneOf(key, known)) throw unknownKey(path, key, known, hints.get(key));
    fields[key] = Reflect.get(value, key);
  }
  return fields;
}

const NO_HINTS: ReadonlyMap<unknown, string> = new Map();

function unknownKey(
  path: string,
  key: string | symbol,
  known: readonly string[],
  hint: string | undefined,
): SandboxError {
  const near = typeof key === 'string' ? known.find((candidate) => isNear(candidate, key)) : undefined;
  const advice = hint ?? (near === undefined ? `The options are ${known.join(', ')}` : `Did you mean '${near}'?`);
  const name = typeof key === 'string' ? show(key) : String(key);
  return new SandboxError('invalid-option', `${path} has no option ${name}. ${advice}`);
}

/** One letter changed, missing, too many or swapped with its neighbour, or another case. */
export function isNear(candidate: string, key: string): boolean {
  const a = candidate.toLowerCase();
  const b = key.toLowerCase();
  if (Math.abs(a.length - b.length) > 1) return false;
  let start = 0;
  while (start < a.length && a[start] === b[start]) start++;
  const restsMatch = (skipA: number, skipB: number) => a.slice(start + skipA) === b.slice(start + skipB);
  const isSwapped = a[start] === b[start + 1] && a[start + 1] === b[start] && restsMatch(2, 2);
  return restsMatch(0, 0) || restsMatch(1, 1) || restsMatch(1, 0) || restsMatch(0, 1) || isSwapped;
}

/** Null prototype, or that of some realm's Object. */
function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** `bounds` are inclusive. */
export function checkInteger(value: unknown, path: string, bounds: { min: number; max: number }): number {
  if (isInteger(value) && value >= bounds.min && value <= bounds.max) return value;
  throw invalidOption(path, value, `an integer from ${bounds.min} to ${bounds.max}`);
}

/** -0 is no integer here: it would be shown as 0, and compares with it, but is the trace of a wrong sum. */
export function isInteger(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && !Object.is(value, -0);
}

export function checkBoolean(value: unknown, path: string): boolean {
  if (typeof value === 'boolean') return value;
  throw invalidOption(path, value, 'true or false');
}

export function checkOneOf<T extends string>(value: unknown, path: string, choices: readonly T[]): T {
  if (isOneOf(value, choices)) return value;
  throw invalidOption(path, value, `one of ${choices.map((choice) => `'${choice}'`).join(', ')}`);
}

function isOneOf<T extends string>(value: unknown, choices: readonly T[]): value is T {
  return (choices as readonly unknown[]).includes(value);
}

/** A string that the kernel can take: without a NUL. */
export function checkText(value: unknown, path: string): string {
  if (isText(value)) return value;
  throw invalidOption(path, value, 'a string without a NUL');
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && !value.includes('\0');
}

const MAX_ITEMS = 65_536;

/** A copy of an array, each item read once and checked. Holes are undefined, and are for `check` to refuse. */
export function checkList<T>(
  value: unknown,
  path: string,
  check: (item: unknown, itemPath: string) => T,
): readonly T[] {
  if (!Array.isArray(value)) throw invalidOption(path, value, 'an array');
  const length = value.length;
  if (length > MAX_ITEMS) throw invalidOption(`${path}.length`, length, `at most ${MAX_ITEMS}`);
  const items: T[] = [];
  for (let index = 0; index < length; index++) items.push(check(value[index], `${path}[${index}]`));
  return Object.freeze(items);
}

/** Environment variables: a copy, each value read once. They are often secrets, so no message shows a value. */
export function checkEnvironment(value: unknown, path: string): Readonly<Record<string, string>> {
  if (!isPlainObject(value)) {
    const advice = "To hand over all of the host's variables, write { ...process.env }";
    const expected = 'a plain object of strings, without a prototype of its own';
    throw invalidOption(path, value, expected, { shown: kindOf(value), advice });
  }
  const entries = Reflect.ownKeys(value).map((name): [string, string] => {
    if (typeof name !== 'string' || name === '' || /[=\0]/.test(name)) throw invalidName(path, name);
    const text: unknown = Reflect.get(value, name);
    if (isText(text)) return [name, text];
    const shown = typeof text === 'string' ? 'one with a NUL' : kindOf(text);
    throw invalidOption(`${path}.${name}`, text, 'a string without a NUL', { shown });
  });
  // Not by assignment: a variable may be called __proto__.
  return Object.freeze(Object.fromEntries(entries));
}

function invalidName(path: string, name: string | symbol): SandboxError {
  // What follows '=' was meant as a value.
  const shown = typeof name === 'string' && name.includes('=') ? `${show(name.replace(/=.*/s, '='))}…` : undefined;
  const expected = "a string that is not empty and holds neither '=' nor a NUL";
  return invalidOption(`a name in ${path}`, name, expected, { shown });
}

/** What a value is, where it must not be shown. */
function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

export function checkFunction<F extends (...args: never[]) => unknown>(value: unknown, path: string): F {
  if (typeof value === 'function') return value as F;
  throw invalidOption(path, value, 'a function');
}
