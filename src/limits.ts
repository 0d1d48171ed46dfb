import { checkInteger, invalidOption, isInteger } from './check.js';

/** A number of bytes: an integer, or a text such as '64MiB' or '1.5GiB' that comes to a whole number of bytes. */
export type Bytes = number | `${number}${'B' | 'KiB' | 'MiB' | 'GiB'}`;

/** How much a run may use. What goes beyond a limit ends the run with a reason; it never throws. */
export interface Limits {
  /** Milliseconds from dispatch to end, 1 to 2,147,483,647. Default 5,000. Reason 'wall-limit'. */
  wallMs?: number | undefined;
  /** Milliseconds of CPU time of all processes and threads together, 1 to 2,147,483,647. Default: `wallMs`. Reason 'cpu-limit'. */
  cpuMs?: number | undefined;
  /** All processes together, scratch files included; at least 1 MiB. Default '256MiB'. Reason 'memory-limit'. */
  memoryBytes?: Bytes | undefined;
  /** Processes and threads at once, 1 to 4,194,304. Default 32. Starting more fails inside the job with EAGAIN. */
  processes?: number | undefined;
  /** Open files of each process, 4 to 1,048,576. Default 128. Opening more fails inside the job with EMFILE. */
  openFiles?: number | undefined;
  /**
   * Bytes kept of stdout, and as many of stderr; at most 4,294,967,295. Default '1MiB'. What is past it is dropped and flagged, and
   * the job goes on; with `onOutputLimit: 'kill'` it ends with reason 'output-limit'.
   */
  outputBytes?: Bytes | undefined;
  /** Files written, in /tmp, /work and /dev/shm together; at least 4 KiB. Default '64MiB'. Writing more fails inside the job with ENOSPC. */
  scratchBytes?: Bytes | undefined;
}

/** Every limit, checked, in plain numbers. */
export interface CheckedLimits {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly memoryBytes: number;
  readonly processes: number;
  readonly openFiles: number;
  readonly outputBytes: number;
  readonly scratchBytes: number;
}

export type PartialLimits = { readonly [K in keyof CheckedLimits]?: number };

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

const DEFAULT_WALL_MS = 5_000;
/** That of cpuMs is the run's wallMs. */
const DEFAULTS = {
  wallMs: DEFAULT_WALL_MS,
  memoryBytes: 256 * MIB,
  processes: 32,
  openFiles: 128,
  outputBytes: MIB,
  scratchBytes: 64 * MIB,
} as const;

interface LimitRule {
  readonly min: number;
  readonly max: number;
  readonly isBytes: boolean;
}

const RULES: Readonly<Record<keyof CheckedLimits, LimitRule>> = {
  // 24 days: the largest span of a Node timer, so that a caller can wait as long by their own means.
  wallMs: { min: 1, max: 2 ** 31 - 1, isBytes: false },
  cpuMs: { min: 1, max: 2 ** 31 - 1, isBytes: false },
  // No interpreter starts in less than a mebibyte.
  memoryBytes: { min: MIB, max: Number.MAX_SAFE_INTEGER, isBytes: true },
  // The kernel's own maxima: PID_MAX_LIMIT, and the default of fs.nr_open.
  processes: { min: 1, max: 2 ** 22, isBytes: false },
  // Three are taken before the code begins: with no fourth it could open nothing, not even its own modules.
  openFiles: { min: 4, max: 2 ** 20, isBytes: false },
  // Output is kept in the memory of the host, in one Buffer or string.
  outputBytes: { min: 0, max: 2 ** 32 - 1, isBytes: true },
  // A tmpfs of size 0 has no limit at all, and less than a page holds nothing.
  scratchBytes: { min: 4 * KIB, max: Number.MAX_SAFE_INTEGER, isBytes: true },
};

export const LIMIT_NAMES = Object.keys(RULES) as readonly (keyof CheckedLimits)[];

/** The limits that are set among `fields`; `prefix` is `limits.` or empty. */
export function checkLimits(fields: Readonly<Record<keyof CheckedLimits, unknown>>, prefix: string): PartialLimits {
  const limits: { -readonly [K in keyof CheckedLimits]?: number } = {};
  for (const name of LIMIT_NAMES) {
    const value = fields[name];
    if (value === undefined) continue;
    const rule = RULES[name];
    limits[name] = rule.isBytes ? checkBytes(value, prefix + name, rule) : checkInteger(value, prefix + name, rule);
  }
  return Object.freeze(limits);
}

/** Fills in what is not set; what the run says goes before what the sandbox says. */
export function completeLimits(ofSandbox: PartialLimits, ofRun: PartialLimits): CheckedLimits {
  const set = { ...DEFAULTS, ...ofSandbox, ...ofRun };
  return { cpuMs: set.wallMs, ...set };
}

const UNITS: Readonly<Record<string, number>> = { B: 1, KiB: KIB, MiB: MIB, GiB: GIB };
const BYTES_TEXT = /^(0|[1-9]\d{0,15})(?:\.(\d{1,15}))?(B|KiB|MiB|GiB)$/;

function checkBytes(value: unknown, path: string, rule: LimitRule): number {
  const bytes = typeof value === 'string' ? parseBytes(value) : value;
  if (isInteger(bytes) && bytes >= rule.min && bytes <= rule.max) return bytes;
  throw invalidOption(
    path,
    value,
    `a whole number of bytes from ${rule.min} to ${rule.max}, as an integer or as text with a unit B, KiB, MiB or GiB ` +
      "such as '64MiB'",
  );
}

/** Undefined where the text is no size, or comes to a fraction of a byte. */
function parseBytes(text: string): number | undefined {
  const [, whole = '', fraction = '', unit = ''] = BYTES_TEXT.exec(text) ?? [];
  if (whole === '') return undefined;
  // In integers throughout: '0.1KiB' must be refused as 102.4 bytes, not accepted by rounding.
  const scale = 10n ** BigInt(fraction.length);
  const scaled = BigInt(whole + fraction) * BigInt(UNITS[unit] ?? 0);
  return scaled % scale === 0n ? Number(scaled / scale) : undefined;
}
