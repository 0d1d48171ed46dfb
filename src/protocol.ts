import { ByteReader, ByteWriter, MalformedError } from './bytes.js';

/** The frames between host and supervisor: docs/protocol.md in code. Pure: bytes in, values out. */

const PROTOCOL_VERSION = 1;
const HEADER_BYTES = 12;
export const MAX_PAYLOAD_BYTES = 64 * 1024;
/** Of CONFIGURE and RUN. */
const MAX_LARGE_PAYLOAD_BYTES = 96 * 1024 * 1024;
/** The fields of RUN before the task: five u64, three u32 and a u8. */
const RUN_FIELDS_BYTES = 5 * 8 + 3 * 4 + 1;
export const MAX_TASK_BYTES = MAX_LARGE_PAYLOAD_BYTES - RUN_FIELDS_BYTES;
/** Of ANSWER: two streams of at most 128 KiB each, their lengths, an errno and a status. */
const MAX_ANSWER_PAYLOAD_BYTES = 2 * 128 * 1024 + 16;
export const MAX_RUN_NUMBER = 0xffff_ffff;

const HostKind = {
  CONFIGURE: 1,
  RUN: 2,
  STDIN: 3,
  STDIN_END: 4,
  SIGNAL: 5,
  ABORT: 6,
  ASK: 7,
} as const;

const SupervisorKind = {
  READY: 0x81,
  FAILED: 0x82,
  STARTED: 0x83,
  STDOUT: 0x84,
  STDERR: 0x85,
  STDIN_CREDIT: 0x86,
  STDIN_CLOSED: 0x87,
  END: 0x88,
  ANSWER: 0x89,
  ZYGOTE_LOST: 0x8a,
} as const;

export const ViewKind = {
  DIRECTORY: 1,
  FILE: 2,
  SYMLINK: 3,
  BIND_READ_ONLY: 4,
  BIND_WRITABLE: 5,
  DEVICE: 6,
} as const;
export type ViewKind = (typeof ViewKind)[keyof typeof ViewKind];

/**
 * One thing that a job sees in its private root. `path` is absolute, in the view; `source` is a path on the host, or the text
 * of a symbolic link; `optional` leaves the entry out when the source is missing.
 */
export type ViewEntry = { readonly path: string; readonly optional?: boolean } & (
  | { readonly kind: typeof ViewKind.DIRECTORY }
  | { readonly kind: typeof ViewKind.FILE; readonly content: Uint8Array }
  | { readonly kind: typeof ViewKind.SYMLINK; readonly source: string }
  | {
      readonly kind: typeof ViewKind.BIND_READ_ONLY | typeof ViewKind.BIND_WRITABLE | typeof ViewKind.DEVICE;
      readonly source: string;
    }
);

export interface Configuration {
  readonly packageVersion: string;
  readonly network: boolean;
  readonly warm: number;
  readonly scratchBytes: number;
  readonly view: readonly ViewEntry[];
  readonly executable: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** An array of struct sock_filter. */
  readonly filter: Uint8Array;
  readonly shown: readonly ShownCall[];
}

/** By which arguments the denials of one call are told apart. Arguments count from 0. */
export interface ShownCall {
  readonly number: number;
  readonly values: readonly number[];
  /** The argument that points to text, and the one with its length; without that it ends with a NUL. */
  readonly text?: { readonly argument: number; readonly length?: number | undefined } | undefined;
}

export interface RunOrder {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly memoryBytes: number;
  readonly outputBytes: number;
  readonly scratchBytes: number;
  readonly processes: number;
  readonly openFiles: number;
  readonly killOnOutputLimit: boolean;
  readonly stdinStreamed: boolean;
  readonly task: Uint8Array;
}

export interface Question {
  readonly cwd: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** A frame as it is written: pieces in order, so that large ones are never copied. */
export type OutgoingFrame = readonly Uint8Array[];

export const REASONS = [
  'exited',
  'signaled',
  'wall-limit',
  'cpu-limit',
  'memory-limit',
  'output-limit',
  'denied',
  'aborted',
] as const;
export type Reason = (typeof REASONS)[number];

export const Stage = { SUPERVISOR: 1, ROOT: 2, ZYGOTE: 3, ENTER: 4, SEAL: 5, RESOURCES: 6 } as const;
export type Stage = (typeof Stage)[keyof typeof Stage];

export interface Failure {
  readonly stage: Stage;
  readonly step: number;
  readonly errno: number;
  readonly stepName: string;
  readonly detail: string;
}

/** How a resource is watched. */
const RESOURCE_KEEPERS = ['cgroup v2', 'cgroup v1', 'watchdog'] as const;
export type ResourceKeeper = (typeof RESOURCE_KEEPERS)[number];

export interface Readiness {
  readonly supervisorPid: number;
  readonly zygotePid: number;
  readonly landlockAbi: number;
  readonly memoryBy: ResourceKeeper;
  readonly cpuBy: ResourceKeeper;
  readonly processesBy: ResourceKeeper;
  readonly ownUid: boolean;
  /** False where the kernel gave no listener: refused calls are refused, but not counted. */
  readonly denialsTold: boolean;
}

/** What the supervisor measured of one run. `exitCode` is null where a signal ended it, `signal` null where none did. */
export interface Report {
  readonly reason: Reason;
  readonly stdoutTruncated: boolean;
  readonly stderrTruncated: boolean;
  readonly exitCode: number | null;
  readonly signal: number | null;
  readonly processesPeak: number | null;
  readonly wallNs: number;
  readonly cpuNs: number;
  readonly memoryPeakBytes: number;
  readonly denials: readonly RefusedCall[];
}

/** `values` has all six arguments, 0 where the value doesn't count; it is empty, as `text` is, where only numbers were counted. */
export interface RefusedCall {
  readonly number: number;
  readonly count: number;
  readonly values: readonly bigint[];
  /** Read from the job's memory: anything may stand there. */
  readonly text: Buffer;
}

export type SupervisorMessage =
  | { readonly type: 'ready'; readonly readiness: Readiness }
  | { readonly type: 'failed'; readonly run: number; readonly failure: Failure }
  | { readonly type: 'started'; readonly run: number }
  | { readonly type: 'stdout' | 'stderr'; readonly run: number; readonly chunk: Buffer }
  | { readonly type: 'stdin-credit'; readonly run: number; readonly bytes: number }
  | { readonly type: 'stdin-closed'; readonly run: number }
  | { readonly type: 'end'; readonly run: number; readonly report: Report }
  | {
      readonly type: 'answer';
      readonly run: number;
      readonly errno: number;
      readonly waitStatus: number;
      readonly stdout: Buffer;
      readonly stderr: Buffer;
    }
  | { readonly type: 'zygote-lost'; readonly waitStatus: number };

const EMPTY = new Uint8Array(0);
const NS_PER_MS = 1_000_000n;
const FLAG_NETWORK = 1;
const FLAG_OPTIONAL = 1;
const FLAG_KILL_ON_OUTPUT_LIMIT = 1;
const FLAG_STDIN_STREAMED = 2;
const FLAG_OWN_UID = 1;
const FLAG_UNTOLD = 2;
const FLAG_STDOUT_TRUNCATED = 1;
const FLAG_STDERR_TRUNCATED = 2;
const PEAK_UNKNOWN = 0xffff_ffff;
/** A task up to this size is copied beside its header: one small write is cheaper than a gathered one. */
const COPIED_TASK_BYTES = 16 * 1024;

export function encodeConfigure(configuration: Configuration): OutgoingFrame {
  const payload = new ByteWriter(64 * 1024)
    .u32(PROTOCOL_VERSION)
    .string(configuration.packageVersion)
    .u32(configuration.network ? FLAG_NETWORK : 0)
    .u32(configuration.warm)
    .u64(configuration.scratchBytes)
    .list(configuration.view, writeViewEntry)
    .string(configuration.executable)
    .strings(configuration.argv)
    .strings(environmentList(configuration.env))
    .bytes(configuration.filter)
    .list(configuration.shown, writeShownCall)
    .finish();
  return frame(HostKind.CONFIGURE, 0, payload, MAX_LARGE_PAYLOAD_BYTES);
}

export function encodeRun(run: number, order: RunOrder): OutgoingFrame {
  const flags =
    (order.killOnOutputLimit ? FLAG_KILL_ON_OUTPUT_LIMIT : 0) | (order.stdinStreamed ? FLAG_STDIN_STREAMED : 0);
  const fields = new ByteWriter(RUN_FIELDS_BYTES)
    .u64(BigInt(order.wallMs) * NS_PER_MS)
    .u64(BigInt(order.cpuMs) * NS_PER_MS)
    .u64(order.memoryBytes)
    .u64(order.outputBytes)
    .u64(order.scratchBytes)
    .u32(order.processes)
    .u32(order.openFiles)
    .u8(flags)
    .u32(order.task.byteLength)
    .finish();
  const payloadBytes = fields.byteLength + order.task.byteLength;
  const head = header(HostKind.RUN, run, payloadBytes, MAX_LARGE_PAYLOAD_BYTES);
  if (order.task.byteLength > COPIED_TASK_BYTES) return [Buffer.concat([head, fields]), order.task];
  return [Buffer.concat([head, fields, order.task])];
}

/** `chunk` is at most MAX_PAYLOAD_BYTES, and is not copied. */
export function encodeStdin(run: number, chunk: Uint8Array): OutgoingFrame {
  return frame(HostKind.STDIN, run, chunk);
}

export function encodeStdinEnd(run: number): OutgoingFrame {
  return frame(HostKind.STDIN_END, run, EMPTY);
}

export function encodeSignal(run: number, signal: number): OutgoingFrame {
  return frame(HostKind.SIGNAL, run, new ByteWriter(4).u32(signal).finish());
}

export function encodeAbort(run: number): OutgoingFrame {
  return frame(HostKind.ABORT, run, EMPTY);
}

export function encodeAsk(run: number, question: Question): OutgoingFrame {
  const payload = new ByteWriter()
    .string(question.cwd)
    .strings(question.argv)
    .strings(environmentList(question.env))
    .finish();
  return frame(HostKind.ASK, run, payload);
}

/** `KEY=value` strings, in the order of the record. */
export function environmentList(env: Readonly<Record<string, string>>): string[] {
  return Object.entries(env).map(([name, value]) => `${name}=${value}`);
}

function writeViewEntry(writer: ByteWriter, entry: ViewEntry): void {
  writer
    .u8(entry.kind)
    .u8(entry.optional ? FLAG_OPTIONAL : 0)
    .string(entry.path)
    .string('source' in entry ? entry.source : '')
    .bytes('content' in entry ? entry.content : EMPTY);
}

function writeShownCall(writer: ByteWriter, { number, values, text }: ShownCall): void {
  writer
    .u32(number)
    .u8(values.reduce((bits, argument) => bits | (1 << argument), 0))
    .u8(text === undefined ? 0 : text.argument + 1)
    .u8(text?.length === undefined ? 0 : text.length + 1);
}

function frame(kind: number, run: number, payload: Uint8Array, limit = MAX_PAYLOAD_BYTES): OutgoingFrame {
  const head = header(kind, run, payload.byteLength, limit);
  return payload.byteLength > 0 ? [head, payload] : [head];
}

function header(kind: number, run: number, payloadBytes: number, limit: number): Buffer {
  if (payloadBytes > limit) throw new RangeError(`A frame of ${payloadBytes} bytes is larger than ${limit}`);
  return new ByteWriter(HEADER_BYTES).u32(payloadBytes).u8(kind).u8(0).u16(0).u32(run).finish();
}

/**
 * Cuts a byte stream into messages. Whole frames are read where they lie; only a frame that is spread over several chunks is
 * copied, once. Throws MalformedError, after which the stream can't be used.
 */
export class MessageParser {
  #chunks: Buffer[] = [];
  #buffered = 0;
  #needed = HEADER_BYTES;

  *push(chunk: Buffer): Generator<SupervisorMessage, void, undefined> {
    this.#chunks.push(chunk);
    this.#buffered += chunk.byteLength;
    if (this.#buffered < this.#needed) return;

    const buffer = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#buffered);
    let at = 0;
    this.#needed = HEADER_BYTES;
    while (buffer.byteLength - at >= HEADER_BYTES) {
      const { kind, run, payloadBytes } = readHeader(buffer, at);
      const end = at + HEADER_BYTES + payloadBytes;
      if (end > buffer.byteLength) {
        this.#needed = HEADER_BYTES + payloadBytes;
        break;
      }
      yield readMessage(kind, run, buffer.subarray(at + HEADER_BYTES, end));
      at = end;
    }
    this.#chunks = at < buffer.byteLength ? [buffer.subarray(at)] : [];
    this.#buffered = buffer.byteLength - at;
  }

  /** True when the stream ends inside a frame. */
  get isCut(): boolean {
    return this.#buffered > 0;
  }
}

function readHeader(buffer: Buffer, at: number): { kind: number; run: number; payloadBytes: number } {
  const reader = new ByteReader(buffer.subarray(at, at + HEADER_BYTES));
  const payloadBytes = reader.u32();
  const kind = reader.u8();
  if (reader.u8() !== 0 || reader.u16() !== 0) throw new MalformedError('The reserved bytes of a header are not 0');
  const run = reader.u32();
  const limit = kind === SupervisorKind.ANSWER ? MAX_ANSWER_PAYLOAD_BYTES : MAX_PAYLOAD_BYTES;
  // Checked before the payload arrives, so that no length makes the host wait for gigabytes.
  if (payloadBytes > limit) throw new MalformedError(`A frame of kind ${kind} claims ${payloadBytes} bytes`);
  return { kind, run, payloadBytes };
}

function readMessage(kind: number, run: number, payload: Buffer): SupervisorMessage {
  const reader = new ByteReader(payload);
  const message = readPayload(kind, run, payload, reader);
  if (message.type !== 'stdout' && message.type !== 'stderr') reader.end();
  return message;
}

function readPayload(kind: number, run: number, payload: Buffer, reader: ByteReader): SupervisorMessage {
  switch (kind) {
    case SupervisorKind.READY:
      return { type: 'ready', readiness: readReadiness(forSandbox(run, reader)) };
    case SupervisorKind.FAILED:
      return { type: 'failed', run, failure: readFailure(reader) };
    case SupervisorKind.STARTED:
      return { type: 'started', run: forRun(run) };
    case SupervisorKind.STDOUT:
      return { type: 'stdout', run: forRun(run), chunk: payload };
    case SupervisorKind.STDERR:
      return { type: 'stderr', run: forRun(run), chunk: payload };
    case SupervisorKind.STDIN_CREDIT:
      return { type: 'stdin-credit', run: forRun(run), bytes: reader.u32() };
    case SupervisorKind.STDIN_CLOSED:
      return { type: 'stdin-closed', run: forRun(run) };
    case SupervisorKind.END:
      return { type: 'end', run: forRun(run), report: readReport(reader) };
    case SupervisorKind.ANSWER:
      return {
        type: 'answer',
        run: forRun(run),
        errno: reader.u32(),
        waitStatus: reader.i32(),
        stdout: reader.bytes(),
        stderr: reader.bytes(),
      };
    case SupervisorKind.ZYGOTE_LOST:
      return { type: 'zygote-lost', waitStatus: forSandbox(run, reader).u32() };
    default:
      throw new MalformedError(`A frame of unknown kind ${kind}`);
  }
}

function forSandbox(run: number, reader: ByteReader): ByteReader {
  if (run !== 0) throw new MalformedError(`A frame for the sandbox bears run number ${run}`);
  return reader;
}

function forRun(run: number): number {
  if (run === 0) throw new MalformedError('A frame for a run bears no run number');
  return run;
}

function readReadiness(reader: ByteReader): Readiness {
  const fields = {
    supervisorPid: reader.u32(),
    zygotePid: reader.u32(),
    landlockAbi: reader.u32(),
    memoryBy: nth(RESOURCE_KEEPERS, reader.u8(), 'resource keeper'),
    cpuBy: nth(RESOURCE_KEEPERS, reader.u8(), 'resource keeper'),
    processesBy: nth(RESOURCE_KEEPERS, reader.u8(), 'resource keeper'),
  };
  const flags = reader.u8();
  return { ...fields, ownUid: (flags & FLAG_OWN_UID) !== 0, denialsTold: (flags & FLAG_UNTOLD) === 0 };
}

function readFailure(reader: ByteReader): Failure {
  return {
    stage: nth([1, 2, 3, 4, 5, 6] as const, reader.u32(), 'stage'),
    step: reader.u32(),
    errno: reader.u32(),
    stepName: reader.string(),
    detail: reader.string(),
  };
}

function readReport(reader: ByteReader): Report {
  const reason = nth(REASONS, reader.u8(), 'reason');
  const flags = reader.u8();
  reader.u16();
  const exitCode = reader.i32();
  const signal = reader.u32();
  const processesPeak = reader.u32();
  return {
    reason,
    stdoutTruncated: (flags & FLAG_STDOUT_TRUNCATED) !== 0,
    stderrTruncated: (flags & FLAG_STDERR_TRUNCATED) !== 0,
    exitCode: exitCode < 0 ? null : exitCode,
    signal: signal === 0 ? null : signal,
    processesPeak: processesPeak === PEAK_UNKNOWN ? null : processesPeak,
    wallNs: reader.u64(),
    cpuNs: reader.u64(),
    memoryPeakBytes: reader.u64(),
    denials: reader.list(readRefusedCall),
  };
}

function readRefusedCall(reader: ByteReader): RefusedCall {
  return {
    number: reader.u32(),
    count: reader.u64(),
    values: reader.list((item) => item.bits64()),
    text: Buffer.from(reader.bytes()),
  };
}

/** Enumerations on the wire count from 1. */
function nth<T>(values: readonly T[], number: number, what: string): T {
  const value = values[number - 1];
  if (value === undefined) throw new MalformedError(`There is no ${what} ${number}`);
  return value;
}
