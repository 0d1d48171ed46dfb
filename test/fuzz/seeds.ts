import { readFileSync } from 'node:fs';
import {
  type Configuration,
  encodeAbort,
  encodeAsk,
  encodeConfigure,
  encodeRun,
  encodeSignal,
  encodeStdin,
  encodeStdinEnd,
  type OutgoingFrame,
  type RunOrder,
  ViewKind,
} from '../../src/protocol.js';
import { VERSION } from '../../src/version.js';

const configuration: Configuration = {
  packageVersion: VERSION,
  network: false,
  warm: 2,
  scratchBytes: 64 << 20,
  view: [
    { kind: ViewKind.DIRECTORY, path: '/usr' },
    { kind: ViewKind.FILE, path: '/etc/hosts', content: Buffer.from('127.0.0.1 localhost\n') },
    { kind: ViewKind.SYMLINK, path: '/bin', source: 'usr/bin' },
    { kind: ViewKind.BIND_READ_ONLY, path: '/lib', source: '/usr/lib', optional: true },
    { kind: ViewKind.BIND_WRITABLE, path: '/data', source: '/srv/data' },
    { kind: ViewKind.DEVICE, path: '/dev/null', source: '/dev/null' },
  ],
  executable: '/usr/bin/python3',
  argv: ['python3', '/.pinfold/python.py', 'numpy'],
  env: { LANG: 'C.UTF-8', HOME: '/work' },
  filter: Buffer.from('0600000000f0ff7f', 'hex'),
  shown: [{ number: 59, values: [1, 2], text: { argument: 0 } }],
};

const order: RunOrder = {
  wallMs: 1_500,
  cpuMs: 1_000,
  memoryBytes: 1 << 28,
  outputBytes: 1 << 20,
  scratchBytes: 64 << 20,
  processes: 32,
  openFiles: 128,
  killOnOutputLimit: true,
  stdinStreamed: true,
  task: Buffer.from('print(1)'),
};

const bytesOf = (frame: OutgoingFrame) => Buffer.concat(frame);
const payloadOf = (frame: OutgoingFrame) => bytesOf(frame).subarray(12);

const frames: readonly Buffer[] = [
  encodeConfigure(configuration),
  encodeRun(1, order),
  encodeRun(2, { ...order, task: Buffer.alloc(140_000, 'x') }),
  encodeStdin(1, Buffer.from('input')),
  encodeStdinEnd(1),
  encodeSignal(1, 15),
  encodeAbort(1),
  encodeAsk(3, { cwd: '/', argv: ['/bin/sh', '-c', 'true'], env: { PATH: '/bin' } }),
].map(bytesOf);

function streams(): Buffer[] {
  const whole = Buffer.concat(frames);
  const unknown = Buffer.from(frames[4] as Buffer);
  unknown[4] = 0x7f;
  return [...frames, whole, Buffer.concat([frames[3] as Buffer, unknown, whole])];
}

const ask = payloadOf(encodeAsk(3, { cwd: '/', argv: ['/bin/sh', '-c', ''], env: { PATH: '/bin', HOME: '/' } }));
const text = (...parts: string[]) => Buffer.from(parts.join('\0'));
const wanted = (id: number) => Buffer.from(Uint32Array.of(id).buffer);

/** What each fuzzer of test/fuzz/native starts from. */
export const seeds: Readonly<Record<string, () => Buffer[]>> = {
  host: () => streams().flatMap((stream) => [0, 5, 11].map((cut) => Buffer.concat([Buffer.of(cut), stream]))),
  configuration: () => [
    payloadOf(encodeConfigure(configuration)),
    payloadOf(encodeConfigure({ ...configuration, view: [], argv: [], env: {}, network: true })),
  ],
  // A byte for each reader, as many as there are bytes to read: 5 reads a string, 6 a list of them.
  wire: () => [Buffer.concat([Buffer.alloc(ask.length, Buffer.of(5, 6, 6)), ask]), Buffer.alloc(64, 3)],
  control_group_paths: () => [
    text(readFileSync('/proc/self/cgroup', 'utf8'), readFileSync('/proc/self/mountinfo', 'utf8'), 'pids'),
    text(
      '8:pids:/\n4:memory:/docker/abc\n0::/\n',
      '700 690 0:30 /docker/abc /sys/fs/cgroup/memory ro,nosuid master:17 - cgroup cgroup rw,memory\n',
      'memory',
    ),
    text('0::/user.slice\n', '31 24 0:27 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n', 'cpu'),
  ],
  ids: () => [
    Buffer.concat([wanted(0x70000000), Buffer.from('         0          0 4294967295\n')]),
    Buffer.concat([wanted(5), Buffer.from('0 1000 1\n1 100000 65536\n')]),
  ],
};
