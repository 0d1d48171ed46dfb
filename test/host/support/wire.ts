import { ByteReader, ByteWriter } from '../../../src/bytes.js';
import type { Failure, Reason } from '../../../src/protocol.js';

/** The supervisor's side of docs/protocol.md, written from the document and not from src/protocol.ts. */

export interface HostFrame {
  readonly kind: number;
  readonly run: number;
  readonly payload: Buffer;
}

export const kinds = { CONFIGURE: 1, RUN: 2, STDIN: 3, STDIN_END: 4, SIGNAL: 5, ABORT: 6, ASK: 7 } as const;

/** Cuts whole frames off the front; gives what is left. */
export function cutFrames(bytes: Buffer): { frames: HostFrame[]; rest: Buffer } {
  const frames: HostFrame[] = [];
  let rest = bytes;
  while (rest.length >= 12) {
    const length = rest.readUInt32LE(0);
    if (rest.length < 12 + length) break;
    if (rest.readUIntLE(5, 3) !== 0) throw new Error('The reserved bytes of a header are not 0');
    frames.push({ kind: rest.readUInt8(4), run: rest.readUInt32LE(8), payload: rest.subarray(12, 12 + length) });
    rest = rest.subarray(12 + length);
  }
  return { frames, rest };
}

export interface DecodedRun {
  wallNs: number;
  cpuNs: number;
  memoryBytes: number;
  outputBytes: number;
  scratchBytes: number;
  processes: number;
  openFiles: number;
  flags: number;
  task: Buffer;
}

export function decodeRun(payload: Buffer): DecodedRun {
  const reader = new ByteReader(payload);
  const decoded = {
    wallNs: reader.u64(),
    cpuNs: reader.u64(),
    memoryBytes: reader.u64(),
    outputBytes: reader.u64(),
    scratchBytes: reader.u64(),
    processes: reader.u32(),
    openFiles: reader.u32(),
    flags: reader.u8(),
    task: reader.bytes(),
  };
  reader.end();
  return decoded;
}

export function decodeConfigure(payload: Buffer) {
  const reader = new ByteReader(payload);
  const decoded = {
    protocolVersion: reader.u32(),
    packageVersion: reader.string(),
    flags: reader.u32(),
    warm: reader.u32(),
    scratchBytes: reader.u64(),
    view: reader.list((entry) => ({
      kind: entry.u8(),
      flags: entry.u8(),
      path: entry.string(),
      source: entry.string(),
      content: entry.bytes().toString(),
    })),
    executable: reader.string(),
    argv: reader.strings(),
    env: reader.strings(),
    filter: reader.bytes(),
    shown: reader.list((item) => ({
      number: item.u32(),
      values: item.u8(),
      text: item.u8(),
      textLength: item.u8(),
    })),
  };
  reader.end();
  return decoded;
}

export function decodeAsk(payload: Buffer) {
  const reader = new ByteReader(payload);
  const decoded = { cwd: reader.string(), argv: reader.strings(), env: reader.strings() };
  reader.end();
  return decoded;
}

export function frame(kind: number, run: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt32LE(payload.byteLength, 0);
  head.writeUInt8(kind, 4);
  head.writeUInt32LE(run, 8);
  return Buffer.concat([head, payload]);
}

export interface ReadyFields {
  supervisorPid: number;
  zygotePid: number;
  landlockAbi: number;
  memoryBy: number;
  cpuBy: number;
  processesBy: number;
  flags: number;
}

const usualReady: ReadyFields = {
  supervisorPid: 100,
  zygotePid: 101,
  landlockAbi: 7,
  memoryBy: 1,
  cpuBy: 1,
  processesBy: 1,
  flags: 1,
};

export function ready(fields: Partial<ReadyFields> = {}): Buffer {
  const all = { ...usualReady, ...fields };
  const payload = new ByteWriter()
    .u32(all.supervisorPid)
    .u32(all.zygotePid)
    .u32(all.landlockAbi)
    .u8(all.memoryBy)
    .u8(all.cpuBy)
    .u8(all.processesBy)
    .u8(all.flags)
    .finish();
  return frame(0x81, 0, payload);
}

export function failed(run: number, failure: Partial<Failure> = {}): Buffer {
  const all = { stage: 2, step: 1, errno: 1, stepName: 'user-namespace', detail: '', ...failure };
  const payload = new ByteWriter()
    .u32(all.stage)
    .u32(all.step)
    .u32(all.errno)
    .string(all.stepName)
    .string(all.detail)
    .finish();
  return frame(0x82, run, payload);
}

export const started = (run: number) => frame(0x83, run);
export const stdout = (run: number, text: string | Uint8Array) => frame(0x84, run, Buffer.from(text));
export const stderr = (run: number, text: string | Uint8Array) => frame(0x85, run, Buffer.from(text));
export const stdinCredit = (run: number, bytes: number) => frame(0x86, run, new ByteWriter().u32(bytes).finish());
export const stdinClosed = (run: number) => frame(0x87, run);
export const zygoteLost = (waitStatus: number) => frame(0x8a, 0, new ByteWriter().u32(waitStatus).finish());

export interface DenialFields {
  number: number;
  count: number;
  values?: readonly bigint[];
  text?: string;
}

export interface EndFields {
  reason: number;
  flags: number;
  exitCode: number;
  signal: number;
  processesPeak: number;
  wallNs: number | bigint;
  cpuNs: number | bigint;
  memoryPeakBytes: number | bigint;
  denials: readonly DenialFields[];
}

export const reasonNumbers: Record<Reason, number> = {
  exited: 1,
  signaled: 2,
  'wall-limit': 3,
  'cpu-limit': 4,
  'memory-limit': 5,
  'output-limit': 6,
  denied: 7,
  aborted: 8,
};

const usualEnd: EndFields = {
  reason: 1,
  flags: 0,
  exitCode: 0,
  signal: 0,
  processesPeak: 2,
  wallNs: 1_500_000,
  cpuNs: 500_000,
  memoryPeakBytes: 8_388_608,
  denials: [],
};

export const abortedEnd: Partial<EndFields> = { reason: reasonNumbers.aborted, exitCode: -1, signal: 9 };

export function end(run: number, fields: Partial<EndFields> = {}): Buffer {
  const all = { ...usualEnd, ...fields };
  const payload = new ByteWriter()
    .u8(all.reason)
    .u8(all.flags)
    .u16(0)
    .i32(all.exitCode)
    .u32(all.signal)
    .u32(all.processesPeak)
    .u64(all.wallNs)
    .u64(all.cpuNs)
    .u64(all.memoryPeakBytes)
    .list(all.denials, (writer, { number, count, values = [], text = '' }) =>
      writer
        .u32(number)
        .u64(count)
        .list(values, (item, value) => item.u64(value))
        .bytes(Buffer.from(text)),
    )
    .finish();
  return frame(0x88, run, payload);
}

export function answer(
  run: number,
  fields: { errno?: number; waitStatus?: number; stdout?: string; stderr?: string } = {},
): Buffer {
  const payload = new ByteWriter()
    .u32(fields.errno ?? 0)
    .i32(fields.waitStatus ?? 0)
    .bytes(Buffer.from(fields.stdout ?? ''))
    .bytes(Buffer.from(fields.stderr ?? ''))
    .finish();
  return frame(0x89, run, payload);
}
