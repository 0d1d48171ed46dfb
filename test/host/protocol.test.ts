import { describe, expect, test } from 'vitest';
import { MalformedError } from '../../src/bytes.js';
import {
  encodeAbort,
  encodeAsk,
  encodeConfigure,
  encodeRun,
  encodeSignal,
  encodeStdin,
  encodeStdinEnd,
  MAX_TASK_BYTES,
  MessageParser,
  type OutgoingFrame,
  type RunOrder,
  type Stage,
  type SupervisorMessage,
  ViewKind,
} from '../../src/protocol.js';
import { fc, test as property } from './support/property.js';
import * as wire from './support/wire.js';

const cut = (frame: OutgoingFrame) => {
  const { frames, rest } = wire.cutFrames(Buffer.concat(frame));
  expect(rest).toHaveLength(0);
  expect(frames).toHaveLength(1);
  return frames[0] as wire.HostFrame;
};

const parse = (...chunks: Uint8Array[]): SupervisorMessage[] => {
  const parser = new MessageParser();
  const messages = chunks.flatMap((chunk) => [...parser.push(Buffer.from(chunk))]);
  expect(parser.isCut).toBe(false);
  return messages;
};

const order: RunOrder = {
  wallMs: 1_500,
  cpuMs: 2 ** 31 - 1,
  memoryBytes: Number.MAX_SAFE_INTEGER,
  outputBytes: 0,
  scratchBytes: 4_096,
  processes: 32,
  openFiles: 128,
  killOnOutputLimit: true,
  stdinStreamed: false,
  task: Buffer.from('task'),
};

describe('frames of the host', () => {
  test('RUN holds limits in nanoseconds and bytes, flags and the task', () => {
    const { kind, run, payload } = cut(encodeRun(0xffff_ffff, order));
    expect([kind, run]).toEqual([2, 0xffff_ffff]);
    expect(wire.decodeRun(payload)).toEqual({
      wallNs: 1_500_000_000,
      cpuNs: (2 ** 31 - 1) * 1_000_000,
      memoryBytes: Number.MAX_SAFE_INTEGER,
      outputBytes: 0,
      scratchBytes: 4_096,
      processes: 32,
      openFiles: 128,
      flags: 1,
      task: Buffer.from('task'),
    });
    const both = encodeRun(1, { ...order, killOnOutputLimit: false, stdinStreamed: true });
    expect(wire.decodeRun(cut(both).payload).flags).toBe(2);
  });

  test('a small task is one piece, a large one is not copied', () => {
    expect(encodeRun(1, order)).toHaveLength(1);
    const task = new Uint8Array(1 << 20).fill(7);
    const frame = encodeRun(1, { ...order, task });
    expect(frame[1]).toBe(task);
    expect(wire.decodeRun(cut(frame).payload).task).toEqual(Buffer.from(task));
  });

  test('a task of MAX_TASK_BYTES fills the frame, one more does not fit', () => {
    expect(() => encodeRun(1, { ...order, task: new Uint8Array(MAX_TASK_BYTES) })).not.toThrow();
    expect(() => encodeRun(1, { ...order, task: new Uint8Array(MAX_TASK_BYTES + 1) })).toThrow(RangeError);
  });

  test('CONFIGURE holds every kind of view entry', () => {
    const frame = encodeConfigure({
      packageVersion: '1.2.3',
      network: true,
      warm: 4,
      scratchBytes: 64,
      view: [
        { kind: ViewKind.DIRECTORY, path: '/usr' },
        { kind: ViewKind.FILE, path: '/etc/hosts', content: Buffer.from('hosts') },
        { kind: ViewKind.SYMLINK, path: '/bin', source: 'usr/bin' },
        { kind: ViewKind.BIND_READ_ONLY, path: '/lib', source: '/usr/lib', optional: true },
        { kind: ViewKind.BIND_WRITABLE, path: '/data', source: '/srv/data' },
        { kind: ViewKind.DEVICE, path: '/dev/null', source: '/dev/null' },
      ],
      executable: '/usr/bin/python3',
      argv: ['python3', '-X', 'utf8'],
      env: { A: '1', __proto__x: '2' },
      filter: Buffer.from('12345678'),
      shown: [
        { number: 41, values: [0, 1] },
        { number: 42, values: [], text: { argument: 1, length: 2 } },
        { number: 165, values: [5], text: { argument: 1 } },
      ],
    });
    const { kind, run, payload } = cut(frame);
    expect([kind, run]).toEqual([1, 0]);
    const none = { flags: 0, source: '', content: '' };
    expect(wire.decodeConfigure(payload)).toEqual({
      protocolVersion: 1,
      packageVersion: '1.2.3',
      flags: 1,
      warm: 4,
      scratchBytes: 64,
      view: [
        { ...none, kind: 1, path: '/usr' },
        { ...none, kind: 2, path: '/etc/hosts', content: 'hosts' },
        { ...none, kind: 3, path: '/bin', source: 'usr/bin' },
        { ...none, kind: 4, flags: 1, path: '/lib', source: '/usr/lib' },
        { ...none, kind: 5, path: '/data', source: '/srv/data' },
        { ...none, kind: 6, path: '/dev/null', source: '/dev/null' },
      ],
      executable: '/usr/bin/python3',
      argv: ['python3', '-X', 'utf8'],
      env: ['A=1', '__proto__x=2'],
      filter: Buffer.from('12345678'),
      shown: [
        { number: 41, values: 3, text: 0, textLength: 0 },
        { number: 42, values: 0, text: 2, textLength: 3 },
        { number: 165, values: 32, text: 2, textLength: 0 },
      ],
    });
  });

  test('the small ones', () => {
    const chunk = Buffer.from('input');
    expect(encodeStdin(5, chunk)[1]).toBe(chunk);
    expect(cut(encodeStdin(5, chunk))).toEqual({ kind: 3, run: 5, payload: chunk });
    expect(cut(encodeStdinEnd(5))).toEqual({ kind: 4, run: 5, payload: Buffer.alloc(0) });
    expect(cut(encodeSignal(5, 15))).toEqual({ kind: 5, run: 5, payload: Buffer.from([15, 0, 0, 0]) });
    expect(cut(encodeAbort(5))).toEqual({ kind: 6, run: 5, payload: Buffer.alloc(0) });
    const ask = cut(encodeAsk(6, { cwd: '/', argv: ['/bin/sh', '-c'], env: { PATH: '/bin' } }));
    expect(ask).toMatchObject({ kind: 7, run: 6 });
    expect(wire.decodeAsk(ask.payload)).toEqual({ cwd: '/', argv: ['/bin/sh', '-c'], env: ['PATH=/bin'] });
    expect(() => encodeStdin(1, new Uint8Array(65_537))).toThrow(RangeError);
  });
});

const messageOf = {
  ready: wire.ready({ memoryBy: 1, cpuBy: 2, processesBy: 3, flags: 1 }),
  failed: wire.failed(9, { stage: 5, step: 3, errno: 22, stepName: 'filter', detail: 'line 1\nline 2' }),
  started: wire.started(1),
  stdout: wire.stdout(1, 'out\0put'),
  stderr: wire.stderr(1, ''),
  credit: wire.stdinCredit(1, 65_536),
  closed: wire.stdinClosed(1),
  end: wire.end(1, {
    reason: 7,
    flags: 3,
    denials: [{ number: 59, count: 2, values: [1n, 2n ** 64n - 1n], text: 'x\0y' }],
    processesPeak: 0xffff_ffff,
  }),
  signaled: wire.end(2, { reason: 2, exitCode: -1, signal: 11 }),
  answer: wire.answer(3, { errno: 2, waitStatus: 256, stdout: 'o', stderr: 'e' }),
  zygote: wire.zygoteLost(9),
};

const report = {
  reason: 'denied',
  stdoutTruncated: true,
  stderrTruncated: true,
  exitCode: 0,
  signal: null,
  processesPeak: null,
  wallNs: 1_500_000,
  cpuNs: 500_000,
  memoryPeakBytes: 8_388_608,
  denials: [{ number: 59, count: 2, values: [1n, 2n ** 64n - 1n], text: Buffer.from('x\0y') }],
};

const expectedMessages = [
  {
    type: 'ready',
    readiness: {
      supervisorPid: 100,
      zygotePid: 101,
      landlockAbi: 7,
      memoryBy: 'cgroup v2',
      cpuBy: 'cgroup v1',
      processesBy: 'watchdog',
      ownUid: true,
      denialsTold: true,
    },
  },
  { type: 'failed', run: 9, failure: { stage: 5, step: 3, errno: 22, stepName: 'filter', detail: 'line 1\nline 2' } },
  { type: 'started', run: 1 },
  { type: 'stdout', run: 1, chunk: Buffer.from('out\0put') },
  { type: 'stderr', run: 1, chunk: Buffer.alloc(0) },
  { type: 'stdin-credit', run: 1, bytes: 65_536 },
  { type: 'stdin-closed', run: 1 },
  { type: 'end', run: 1, report },
  {
    type: 'end',
    run: 2,
    report: {
      ...report,
      reason: 'signaled',
      stdoutTruncated: false,
      stderrTruncated: false,
      exitCode: null,
      signal: 11,
      processesPeak: 2,
      denials: [],
    },
  },
  { type: 'answer', run: 3, errno: 2, waitStatus: 256, stdout: Buffer.from('o'), stderr: Buffer.from('e') },
  { type: 'zygote-lost', waitStatus: 9 },
];

describe('frames of the supervisor', () => {
  const stream = Buffer.concat(Object.values(messageOf));

  test('are read as the document says', () => {
    expect(parse(stream)).toEqual(expectedMessages);
  });

  test('byte by byte as well', () => {
    expect(parse(...[...stream].map((byte) => Uint8Array.of(byte)))).toEqual(expectedMessages);
  });

  property('however the stream is cut', fc.array(fc.nat({ max: stream.length })), (cuts) => {
    const places = [0, ...cuts.sort((a, b) => a - b), stream.length];
    const chunks = places.slice(1).map((place, index) => stream.subarray(places[index], place));
    expect(parse(...chunks)).toEqual(expectedMessages);
  });

  test('output lies where it was received, without a copy', () => {
    const received = Buffer.from(wire.stdout(1, 'x'.repeat(60_000)));
    const [message] = new MessageParser().push(received);
    expect(message?.type === 'stdout' && message.chunk.buffer).toBe(received.buffer);
  });

  test('the largest frame comes whole out of small chunks', () => {
    const [stdout, stderr] = ['x'.repeat(128 << 10), 'y'.repeat(128 << 10)];
    const large = wire.answer(1, { stdout, stderr });
    const parser = new MessageParser();
    const messages: SupervisorMessage[] = [];
    for (let at = 0; at < large.length; at += 100) messages.push(...parser.push(large.subarray(at, at + 100)));
    expect(messages).toMatchObject([{ stdout: Buffer.from(stdout), stderr: Buffer.from(stderr) }]);
  });

  test('an end inside a frame is noticed', () => {
    const parser = new MessageParser();
    expect([...parser.push(Buffer.from(stream.subarray(0, stream.length - 1)))]).toHaveLength(10);
    expect(parser.isCut).toBe(true);
  });
});

describe('frames that are refused', () => {
  const head = (length: number, kind: number, run: number, reserved = 0) => {
    const bytes = Buffer.alloc(12);
    bytes.writeUInt32LE(length, 0);
    bytes.writeUInt8(kind, 4);
    bytes.writeUInt8(reserved, 6);
    bytes.writeUInt32LE(run, 8);
    return bytes;
  };
  const withRun = (frame: Buffer, run: number) => {
    const bytes = Buffer.from(frame);
    bytes.writeUInt32LE(run, 8);
    return bytes;
  };
  const longer = (frame: Buffer) => {
    const bytes = Buffer.concat([frame, Buffer.alloc(1)]);
    bytes.writeUInt32LE(bytes.length - 12, 0);
    return bytes;
  };
  const shorter = (frame: Buffer) => {
    const bytes = Buffer.from(frame.subarray(0, frame.length - 1));
    bytes.writeUInt32LE(bytes.length - 12, 0);
    return bytes;
  };

  test.each<readonly [string, Buffer]>([
    ['an unknown kind', head(0, 0x8b, 1)],
    ['kind 0', head(0, 0, 1)],
    ['a kind of the host', head(0, 6, 1)],
    ['a length over 64 KiB, before its payload is there', head(65_537, 0x84, 1)],
    ['an answer over 256 KiB', head(2 ** 18 + 17, 0x89, 1)],
    ['the longest length', head(0xffff_ffff, 0x88, 1)],
    ['a reserved byte', head(0, 0x83, 1, 1)],
    ['READY for a run', withRun(wire.ready(), 1)],
    ['ZYGOTE_LOST for a run', withRun(wire.zygoteLost(9), 1)],
    ['STARTED without a run', head(0, 0x83, 0)],
    ['output without a run', wire.stdout(0, 'x')],
    ['END without a run', wire.end(0)],
    ['an unknown reason', wire.end(1, { reason: 9 })],
    ['reason 0', wire.end(1, { reason: 0 })],
    ['a time past 2**53', wire.end(1, { wallNs: 2n ** 53n })],
    ['an unknown stage', wire.failed(0, { stage: 7 as Stage })],
    ['an unknown keeper of memory', wire.ready({ memoryBy: 4 })],
    ['a keeper 0', wire.ready({ cpuBy: 0 })],
    [
      'a list of denials longer than its frame',
      Buffer.concat([wire.end(1).subarray(0, -4), Buffer.from('ffffffff', 'hex')]),
    ],
    ...Object.entries(messageOf)
      .filter(([name]) => name !== 'stdout' && name !== 'stderr')
      .map(([name, frame]) => [`${name} with a byte too many`, longer(frame)] as const),
    ...Object.entries(messageOf)
      .filter(([, frame]) => frame.length > 12)
      .filter(([name]) => name !== 'stdout')
      .map(([name, frame]) => [`${name} with a byte too few`, shorter(frame)] as const),
  ])('%s', (_, bytes) => {
    expect(() => [...new MessageParser().push(bytes)]).toThrow(MalformedError);
  });

  property(
    'noise is refused or waited for, never misread as anything but a frame',
    fc.uint8Array({ maxLength: 200 }),
    (noise) => {
      const parser = new MessageParser();
      try {
        for (const message of parser.push(Buffer.from(noise))) expect(message.type).toBeTypeOf('string');
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedError);
      }
    },
  );

  property(
    'a frame with one bit changed is read or refused, nothing else',
    fc.constantFrom(...Object.values(messageOf)),
    fc.nat(),
    (frame, place) => {
      const bytes = Buffer.from(frame);
      const bit = place % (bytes.length * 8);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      try {
        expect([...new MessageParser().push(bytes)].length).toBeLessThanOrEqual(1);
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedError);
      }
    },
  );
});
