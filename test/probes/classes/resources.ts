import { expect } from 'vitest';
import { each, type Probe, type Program } from '../probe.js';

const MiB = 1 << 20;
const KEEPER = 'control group; else the watchdog';

/** Takes memory until it is ended, or as much as it is told to. */
const memoryBombs: readonly [string, string][] = [
  ['malloc', 'kept.append(b"x" * (1 << 20))'],
  [
    'anonymous maps, filled by the kernel',
    `kept.append(mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x8000))`,
  ],
  ['shared anonymous maps', 'kept.append(mmap.mmap(-1, 1 << 20)); kept[-1].write(b"x" * (1 << 20))'],
  ['files in /dev/shm', 'kept.append(open("/dev/shm/probe%d" % len(kept), "wb", 0).write(bytes(1 << 20)))'],
  ['files in /tmp', 'kept.append(open("/tmp/probe%d" % len(kept), "wb", 0).write(bytes(1 << 20)))'],
  [
    'files that are deleted and still mapped',
    `file = open("/tmp/probe", "w+b")
    file.truncate(1 << 20)
    os.unlink("/tmp/probe")
    kept.append(mmap.mmap(file.fileno(), 1 << 20))
    kept[-1].write(b"x" * (1 << 20))
    file.close()`,
  ],
];

const memoryBomb = ([title, take]: (typeof memoryBombs)[number], id: string): Program => ({
  id,
  title: `fills memory: ${title}`,
  outcome: 'B',
  layer: KEEPER,
  program: {
    python: `
import mmap
kept, limit = [], int(sys.argv[1])
while len(kept) < limit:
    ${take}
found["MiB"] = len(kept)
for number in range(limit):
    for directory in ("/tmp", "/dev/shm"):
        try: os.unlink("%s/probe%d" % (directory, number))
        except OSError: pass`,
  },
  args: () => ['1000'],
  controlArgs: () => ['96'],
  options: { memoryBytes: '64MiB', scratchBytes: '1GiB' },
  confined: undefined,
  ends: { reason: 'memory-limit', signalName: 'SIGKILL' },
  check: ({ usage, isolation }) => {
    const { state } = isolation.guarantees.memory;
    expect(usage.memoryPeakBytes).toBeLessThanOrEqual((state === 'enforced' ? 64 : 512) * MiB);
  },
  control: { MiB: 96 },
});

const spin = (seconds: string) => `end = time.process_time() + ${seconds}
    while time.process_time() < end: pass`;

export const resources: readonly Probe[] = [
  ...memoryBombs.slice(0, 2).map((bomb) => memoryBomb(bomb, 'M1')),
  {
    id: 'M1',
    title: 'fills memory: processes that are small each',
    outcome: 'B',
    layer: KEEPER,
    program: {
      python: `
import time
for _ in range(6):
    if os.fork() == 0:
        kept = b"x" * (16 << 20)
        time.sleep(float(sys.argv[1]))
        os._exit(0)
for _ in range(6): os.wait()`,
    },
    args: () => ['30'],
    controlArgs: () => ['0.2'],
    options: { memoryBytes: '64MiB' },
    confined: undefined,
    ends: { reason: 'memory-limit', signalName: 'SIGKILL' },
    control: {},
  },
  ...memoryBombs.slice(4).map((bomb) => memoryBomb(bomb, 'M2')),
  ...memoryBombs.slice(2, 4).map((bomb) => memoryBomb(bomb, 'M3')),
  {
    id: 'M3',
    title: 'makes memory that is a file, and shared memory of System V',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
call("memfd_create", b"x", 0)
shared = call("shmget", 0, 1 << 20, 0o600)
if shared >= 0: libc.shmctl(shared, 0, 0)
call("mmap", 0, 1 << 21, 3, 0x40022, -1, 0, name="huge pages")`,
    },
    confined: { memfd_create: 'ENOSYS', shmget: 'EPERM', 'huge pages': 'EPERM' },
    denied: ['shmget', 'mmap'],
    control: { ...each(['memfd_create', 'shmget'], 'done'), 'huge pages': expect.stringMatching(/^(done|ENOMEM)$/) },
  },
  {
    id: 'M6',
    title: "copies the zygote's pages, in many processes",
    outcome: 'B',
    layer: KEEPER,
    program: {
      python: `
import time
def touch():
    with open("/proc/self/maps") as maps: lines = maps.readlines()
    for line in lines:
        fields = line.split()
        if not fields[1].startswith("rw-p") or len(fields) > 5 and fields[5].startswith("[stack"): continue
        start, end = (int(part, 16) for part in fields[0].split("-"))
        for page in range(start, end, 4096):
            byte = ctypes.c_ubyte.from_address(page)
            byte.value = byte.value
count = int(sys.argv[1])
for _ in range(count):
    if os.fork() == 0:
        touch()
        time.sleep(float(sys.argv[2]))
        os._exit(0)
for _ in range(count): os.wait()`,
    },
    args: () => ['12', '30'],
    controlArgs: () => ['4', '0.1'],
    sandbox: { preload: ['xml.dom.minidom', 'decimal', 'asyncio', 'unittest'] },
    options: { memoryBytes: '32MiB' },
    confined: undefined,
    ends: { reason: 'memory-limit', signalName: 'SIGKILL' },
    control: {},
  },
  {
    id: 'M7',
    title: 'spins in 64 threads',
    outcome: 'B',
    layer: 'supervisor',
    program: {
      python: `
import hashlib, threading
def burn():
    while True: hashlib.sha256(b"x" * 100_000)
for _ in range(64): threading.Thread(target=burn).start()`,
    },
    options: { processes: 80, cpuMs: 500, wallMs: 20_000 },
    confined: undefined,
    ends: { reason: 'cpu-limit', signalName: 'SIGKILL' },
    check: ({ usage }) => expect(usage.cpuMs).toBeLessThan(2_000),
    control: undefined,
    controlEnds: 'still running',
    controlMs: 800,
  },
  {
    id: 'M7',
    title: 'spins in 24 processes until the time is over',
    outcome: 'B',
    layer: 'supervisor',
    program: {
      python: `
for _ in range(24):
    if os.fork() == 0: break
while True: pass`,
    },
    options: { cpuMs: 60_000, wallMs: 700 },
    confined: undefined,
    ends: { reason: 'wall-limit', signalName: 'SIGKILL' },
    control: undefined,
    controlEnds: 'still running',
    controlMs: 800,
  },
  {
    id: 'M8',
    title: 'burns time in many short children',
    outcome: 'B',
    layer: 'control group; else sums of the supervisor',
    program: {
      python: `
import time
for _ in range(int(sys.argv[1])):
    if os.fork() == 0:
        ${spin('0.05').replace('\n', '\n    ')}
        os._exit(0)
    os.wait()`,
    },
    args: () => ['1000'],
    controlArgs: () => ['20'],
    options: { cpuMs: 500 },
    confined: undefined,
    ends: { reason: 'cpu-limit', signalName: 'SIGKILL' },
    check: ({ usage }) => expect(usage.cpuMs).toBeLessThan(2_000),
    control: {},
  },
  {
    id: 'M9',
    title: 'sleeps',
    outcome: 'B',
    layer: 'supervisor',
    program: { python: 'import time; time.sleep(1e6)' },
    options: { wallMs: 300 },
    confined: undefined,
    ends: { reason: 'wall-limit', signalName: 'SIGKILL' },
    check: ({ usage }) => expect(usage.wallMs).toBeLessThan(3_000),
    control: undefined,
    controlEnds: 'still running',
    controlMs: 800,
  },
  {
    id: 'M10',
    title: 'spins with SIGTERM and SIGXCPU ignored',
    outcome: 'B',
    layer: 'supervisor',
    program: {
      python: `
for number in (signal.SIGTERM, signal.SIGXCPU, signal.SIGINT, signal.SIGHUP, signal.SIGALRM): signal.signal(number, signal.SIG_IGN)
while True: pass`,
    },
    options: { cpuMs: 300 },
    confined: undefined,
    ends: { reason: 'cpu-limit', signalName: 'SIGKILL' },
    control: undefined,
    controlEnds: 'still running',
    controlMs: 800,
  },
  ...(['stdout', 'stderr'] as const).map(
    (stream, index): Program => ({
      id: `M1${index + 1}`,
      title: `floods ${stream} with 10 GB`,
      outcome: 'B',
      layer: 'supervisor',
      program: {
        python: `
block, left = bytes(1 << 16), int(sys.argv[1])
while left > 0: left -= os.write(${index + 1}, block)
if ${index + 1} == 2: found["left"] = left > 0`,
      },
      args: () => [`${10 * 1000 ** 3}`],
      controlArgs: () => [`${4 * MiB}`],
      options: { wallMs: 55_000, cpuMs: 55_000 },
      confined: undefined,
      check: (result) => {
        expect(result).toMatchObject({ stdoutTruncated: index === 0, stderrTruncated: index === 1 });
        expect(result[stream]).toHaveLength(MiB);
        expect(process.memoryUsage().rss).toBeLessThan(1024 * MiB);
      },
      control: undefined,
    }),
  ),
  {
    id: 'M13',
    title: 'makes files until it is refused',
    outcome: 'B',
    layer: 'inodes of the scratch',
    program: {
      python: `
count, limit = 0, int(sys.argv[1])
found["stopped by"] = "nothing"
os.makedirs("d/e")
try:
    while count < limit:
        (os.mkdir if count % 3 else os.mkfifo)("d/e/%d" % count)
        count += 1
except OSError as error: found["stopped by"] = name_of(error.errno)
found["at most"] = max(count, 2_100)
try: open("/tmp/one-more", "x").close()
except OSError as error: found["elsewhere"] = name_of(error.errno)`,
    },
    args: () => ['200000'],
    controlArgs: () => ['2101'],
    options: { scratchBytes: '8MiB' },
    confined: { 'stopped by': 'ENOSPC', 'at most': 2_100, elsewhere: 'ENOSPC' },
    control: expect.objectContaining({ 'stopped by': 'nothing', 'at most': 2_101 }),
  },
  {
    id: 'M14',
    title: 'opens descriptors until it is refused',
    outcome: 'B',
    layer: 'RLIMIT_NOFILE',
    program: {
      python: `
kept = []
for name, open_one in (("open", lambda: kept.append(os.open("/dev/null", os.O_RDONLY))), ("dup", lambda: kept.append(os.dup(0))), ("pipe", lambda: kept.extend(os.pipe()))):
    found[name] = "done"
    try:
        for _ in range(int(sys.argv[1])): open_one()
    except OSError as error: found[name] = name_of(error.errno)
found["count"] = len(kept)`,
    },
    args: () => ['1000'],
    controlArgs: () => ['100'],
    confined: { ...each(['open', 'dup', 'pipe'], 'EMFILE'), count: 125 },
    control: { ...each(['open', 'dup', 'pipe'], 'done'), count: 400 },
  },
  {
    id: 'M15',
    title: 'overflows its stack',
    outcome: 'B',
    layer: 'RLIMIT_STACK, the kernel',
    program: {
      // call itself
      python: 'machine_code(b"\\xe8\\xfb\\xff\\xff\\xff")()',
    },
    confined: undefined,
    ends: { reason: 'signaled', signalName: 'SIGSEGV' },
    control: undefined,
    controlEnds: 'SIGSEGV',
  },
  {
    id: 'M16',
    title: 'fills the disk, everywhere',
    outcome: 'B',
    layer: 'size of the scratch, read-only mounts',
    program: {
      python: `
total, limit = 0, int(sys.argv[1])
tops = ["/tmp", "/work", "/dev/shm", "/var/tmp", "/", "/dev", "/etc", "/usr/lib"] if len(sys.argv) < 3 else ["."]
for top in tops:
    try:
        with open(top + "/.probe-fill", "wb", 0) as file:
            while total < limit: total += file.write(bytes(1 << 20))
        found[top] = "done"
    except OSError as error: found[top] = name_of(error.errno)
found["MiB"] = total >> 20`,
    },
    args: () => [`${1000 * MiB}`],
    controlArgs: () => [`${40 * MiB}`],
    options: { scratchBytes: '32MiB' },
    confined: {
      ...each(['/tmp', '/work', '/dev/shm'], 'ENOSPC'),
      '/var/tmp': 'ENOENT',
      ...each(['/', '/dev', '/etc', '/usr/lib'], 'EROFS'),
      MiB: expect.toSatisfy((value: number) => value >= 30 && value <= 32),
    },
    control: { '.': 'done', MiB: 40 },
  },
];
