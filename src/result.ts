import { type Denial, describeDenials } from './denials.js';
import { copyReport, type IsolationReport } from './isolation.js';
import type { Encoding } from './options.js';
import type { Output } from './output.js';
import type { Arch } from './policy/syscalls.js';
import type { Reason, Report } from './protocol.js';
import { signalName } from './signals.js';

export interface Usage {
  /** From dispatch to end. */
  wallMs: number;
  /** Of all processes of the job together. */
  cpuMs: number;
  memoryPeakBytes: number;
  /** Null where nothing on this machine counts them. */
  processesPeak: number | null;
  /** From `run` to dispatch. */
  queuedMs: number;
}

/** How a run ended, as the supervisor and the kernel saw it: nothing in it but the output was said by the job. */
export interface RunResult<T = unknown, Text = string> {
  /** Reason 'exited' and exit code 0. */
  ok: boolean;
  /** The one cause why the run ended; the first counts. */
  reason: Reason;
  /** Null where a signal ended the job, or it never began. */
  exitCode: number | null;
  /** The signal that ended the job; null where none did, and for real-time signals, which have no name. */
  signalName: NodeJS.Signals | null;
  /** With encoding 'buffer' a Buffer. */
  stdout: Text;
  stderr: Text;
  /** Something past `outputBytes` was dropped. */
  stdoutTruncated: boolean;
  stderrTruncated: boolean;
  /** Without a prototype. Empty in 0.1. */
  files: Record<string, Uint8Array>;
  /** Empty in 0.1. */
  skipped: { path: string; why: string }[];
  value?: T;
  usage: Usage;
  /** The refused system calls, in the order of their first time; see there what is told, and what isn't. */
  denials: Denial[];
  isolation: IsolationReport;
}

export interface Measured {
  readonly report: Report;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly encoding: Encoding;
  readonly queuedMs: number;
  readonly isolation: IsolationReport;
}

/** Of a run that ended before it was handed to a supervisor. */
export const NOTHING_RAN: Report = {
  reason: 'aborted',
  stdoutTruncated: false,
  stderrTruncated: false,
  exitCode: null,
  signal: null,
  processesPeak: 0,
  wallNs: 0,
  cpuNs: 0,
  memoryPeakBytes: 0,
  denials: [],
};

const NS_PER_MS = 1e6;

/** The type says strings; with encoding 'buffer' they are Buffers, which the overloads of `run` tell the caller. */
export function buildResult({ report, stdout, stderr, encoding, queuedMs, isolation }: Measured): RunResult {
  const decode = (output: Output) => {
    const bytes = output.toBuffer();
    return (encoding === 'buffer' ? bytes : bytes.toString('utf8')) as string;
  };
  return {
    ok: report.reason === 'exited' && report.exitCode === 0,
    reason: report.reason,
    exitCode: report.exitCode,
    signalName: report.signal === null ? null : signalName(report.signal),
    stdout: decode(stdout),
    stderr: decode(stderr),
    stdoutTruncated: report.stdoutTruncated,
    stderrTruncated: report.stderrTruncated,
    files: Object.create(null),
    skipped: [],
    usage: {
      wallMs: report.wallNs / NS_PER_MS,
      cpuMs: report.cpuNs / NS_PER_MS,
      memoryPeakBytes: report.memoryPeakBytes,
      processesPeak: report.processesPeak,
      queuedMs,
    },
    denials: describeDenials(report.denials, process.arch as Arch),
    isolation: copyReport(isolation),
  };
}
