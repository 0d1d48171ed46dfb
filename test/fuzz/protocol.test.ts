// The host's decoder, fed with real frames that were changed, and with noise; and its encoder, read back by the document.
import { describe, expect } from 'vitest';
import { MalformedError } from '../../src/bytes.js';
import {
  encodeAsk,
  encodeConfigure,
  encodeRun,
  MessageParser,
  type SupervisorMessage,
  type ViewEntry,
  ViewKind,
} from '../../src/protocol.js';
import * as wire from '../host/support/wire.js';
import { cutAt, fc, fuzz, mutation } from './support.js';

const run = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 0xffff_ffff }));
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u64 = fc.maxSafeNat();
const bytes = fc.uint8Array({ maxLength: 300 });
const text = fc.string({ unit: 'binary', maxLength: 40 }).filter((value) => !value.includes('\0'));

const denial = fc.record({
  number: u32,
  count: u64,
  values: fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { maxLength: 6 }),
  text,
});
const supervisorFrame = fc.oneof(
  fc.record({ memoryBy: fc.nat(4), cpuBy: fc.nat(4), processesBy: fc.nat(4), landlockAbi: u32 }).map(wire.ready),
  fc
    .tuple(run, fc.record({ step: u32, errno: u32, stepName: text, detail: text }))
    .map(([number, fields]) => wire.failed(number, fields)),
  run.map(wire.started),
  fc.tuple(run, bytes).map(([number, chunk]) => wire.stdout(number, chunk)),
  fc.tuple(run, bytes).map(([number, chunk]) => wire.stderr(number, chunk)),
  fc.tuple(run, u32).map(([number, count]) => wire.stdinCredit(number, count)),
  run.map(wire.stdinClosed),
  fc
    .tuple(run, fc.record({ reason: fc.nat(9), wallNs: u64, cpuNs: u64, denials: fc.array(denial) }))
    .map(([number, fields]) => wire.end(number, fields)),
  fc
    .tuple(run, fc.record({ errno: u32, stdout: text, stderr: text }))
    .map(([number, fields]) => wire.answer(number, fields)),
  u32.map(wire.zygoteLost),
);

const stream = fc
  .tuple(fc.array(supervisorFrame, { maxLength: 8 }), fc.array(mutation, { maxLength: 4 }))
  .map(([frames, mutations]) => mutations.reduce<Buffer>((all, mutate) => mutate(all), Buffer.concat(frames)));
const anyStream = fc.oneof(
  { weight: 4, arbitrary: stream },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 2_000 }).map((noise) => Buffer.from(noise)) },
);

interface Parsed {
  readonly messages: SupervisorMessage[];
  readonly isMalformed: boolean;
  readonly isCut: boolean;
}

function parse(chunks: readonly Buffer[]): Parsed {
  const parser = new MessageParser();
  const messages: SupervisorMessage[] = [];
  try {
    for (const chunk of chunks) for (const message of parser.push(chunk)) messages.push(message);
    return { messages, isMalformed: false, isCut: parser.isCut };
  } catch (error) {
    expect(error).toBeInstanceOf(MalformedError);
    return { messages, isMalformed: true, isCut: false };
  }
}

describe('what a supervisor sends', () => {
  fuzz(
    'is read the same however it is cut, or refused with MalformedError',
    fc.tuple(anyStream, fc.array(fc.nat(), { maxLength: 20 })),
    ([sent, cuts]) => {
      expect(parse(cutAt(sent, cuts))).toEqual(parse([sent]));
    },
  );

  const LARGEST_FRAME_BYTES = 12 + 2 * 128 * 1024 + 16;

  fuzz('is never waited for beyond one frame', anyStream, (sent) => {
    const { isMalformed, isCut } = parse([sent]);
    if (isMalformed) return;
    const { rest } = wire.cutFrames(sent);
    expect(rest.length > 0).toBe(isCut);
    if (rest.length >= 12) expect(rest.readUInt32LE(0) + 12).toBeLessThanOrEqual(LARGEST_FRAME_BYTES);
  });
});

const list = fc.array(text, { maxLength: 5 });
const environment = fc.dictionary(
  text.filter((name) => name !== '' && !name.includes('=')),
  text,
  { maxKeys: 5 },
);
const viewEntry: fc.Arbitrary<ViewEntry> = fc.oneof(
  fc.record({ kind: fc.constant(ViewKind.DIRECTORY), path: text }),
  fc.record({ kind: fc.constant(ViewKind.FILE), path: text, content: bytes }),
  fc.record({ kind: fc.constant(ViewKind.SYMLINK), path: text, source: text }),
  fc.record({
    kind: fc.constantFrom(ViewKind.BIND_READ_ONLY, ViewKind.BIND_WRITABLE, ViewKind.DEVICE),
    path: text,
    source: text,
    optional: fc.boolean(),
  }),
);

const argument = fc.nat(5);
const shown = fc.record({
  number: u32,
  values: fc.uniqueArray(argument),
  text: fc.option(fc.record({ argument, length: fc.option(argument, { nil: undefined }) }), { nil: undefined }),
});
const configuration = fc.record({
  packageVersion: text,
  network: fc.boolean(),
  warm: u32,
  scratchBytes: u64,
  view: fc.array(viewEntry, { maxLength: 6 }),
  executable: text,
  argv: list,
  env: environment,
  filter: bytes,
  shown: fc.array(shown, { maxLength: 5 }),
});

const order = fc.record({
  wallMs: fc.nat(),
  cpuMs: fc.nat(),
  memoryBytes: u64,
  outputBytes: u32,
  scratchBytes: u64,
  processes: u32,
  openFiles: u32,
  killOnOutputLimit: fc.boolean(),
  stdinStreamed: fc.boolean(),
  task: fc.oneof(
    bytes,
    fc.nat(40_000).map((length) => new Uint8Array(length).fill(7)),
  ),
});

function payload(frame: readonly Uint8Array[]): Buffer {
  const { frames, rest } = wire.cutFrames(Buffer.concat(frame));
  expect([frames.length, rest.length]).toEqual([1, 0]);
  return frames[0]?.payload as Buffer;
}

const pairs = (env: Readonly<Record<string, string>>) => Object.entries(env).map((pair) => pair.join('='));

describe('what the host sends is what was meant', () => {
  fuzz('in CONFIGURE', configuration, (sent) => {
    const { packageVersion, warm, scratchBytes, executable, argv } = sent;
    expect(wire.decodeConfigure(payload(encodeConfigure(sent)))).toEqual({
      ...{ protocolVersion: 1, packageVersion, warm, scratchBytes, executable, argv },
      flags: sent.network ? 1 : 0,
      env: pairs(sent.env),
      filter: Buffer.from(sent.filter),
      shown: sent.shown.map(({ number, values, text }) => ({
        number,
        values: values.reduce((bits, index) => bits + 2 ** index, 0),
        text: text === undefined ? 0 : text.argument + 1,
        textLength: text?.length === undefined ? 0 : text.length + 1,
      })),
      view: sent.view.map((entry) => ({
        kind: entry.kind,
        flags: entry.optional ? 1 : 0,
        path: entry.path,
        source: 'source' in entry ? entry.source : '',
        content: 'content' in entry ? Buffer.from(entry.content).toString() : '',
      })),
    });
  });

  fuzz('in RUN', fc.tuple(u32, order), ([number, sent]) => {
    const { wallMs, cpuMs, killOnOutputLimit, stdinStreamed, task, ...limits } = sent;
    expect(wire.decodeRun(payload(encodeRun(number, sent)))).toEqual({
      ...limits,
      wallNs: wallMs * 1e6,
      cpuNs: cpuMs * 1e6,
      flags: (killOnOutputLimit ? 1 : 0) + (stdinStreamed ? 2 : 0),
      task: Buffer.from(task),
    });
  });

  fuzz('in ASK', fc.record({ cwd: text, argv: list, env: environment }), (sent) => {
    expect(wire.decodeAsk(payload(encodeAsk(1, sent)))).toEqual({ ...sent, env: pairs(sent.env) });
  });
});
