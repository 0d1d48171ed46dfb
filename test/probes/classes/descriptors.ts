import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { each, type Probe } from '../probe.js';

const FRAME = Buffer.from([44, 0, 0, 0, 0x88, 0, 0, 0, 1, 0, 0, 0]).toString('hex') + '00'.repeat(44);

export const descriptors: readonly Probe[] = [
  {
    id: 'D1',
    title: 'counts its descriptors',
    outcome: 'H',
    layer: 'descriptors are closed at enter and at seal',
    program: {
      python: `
import fcntl
def is_open(number):
    try: return fcntl.fcntl(number, fcntl.F_GETFD) >= 0
    except OSError: return False
found["open"] = [number for number in range(1 << 16) if is_open(number)]
pid, status = os.fork(), 0
if pid == 0: os._exit(sum(is_open(number) for number in range(1 << 12)))
found["in a child"] = os.WEXITSTATUS(os.waitpid(pid, 0)[1])`,
    },
    confined: { open: [0, 1, 2], 'in a child': 3 },
    // What a careless host had open without close-on-exec.
    control: (scene) => ({
      open: expect.arrayContaining([0, 1, 2, ...scene.leaked]),
      'in a child': expect.any(Number),
    }),
  },
  {
    id: 'D2',
    title: 'looks for directories and paths among them',
    outcome: 'H',
    layer: 'descriptors are closed at enter and at seal',
    program: {
      python: `
import stat
kinds = set()
for number in range(1 << 12):
    try: mode = os.fstat(number).st_mode
    except OSError: continue
    flags = int(read("/proc/self/fdinfo/%d" % number, "r").split("flags:")[1].split()[0], 8)
    kinds.add("O_PATH" if flags & os.O_PATH else "directory" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else "pipe")
    attempt("out of %d" % number, lambda: os.stat("..", dir_fd=number))
found["kinds"] = sorted(kinds)`,
    },
    confined: { ...each(['out of 0', 'out of 1', 'out of 2'], 'ENOTDIR'), kinds: ['pipe'] },
    control: (scene) =>
      expect.objectContaining({
        [`out of ${scene.leaked[1]}`]: 'done',
        kinds: expect.arrayContaining(['directory', 'file', 'pipe']),
      }),
  },
  {
    id: 'D3',
    title: 'reads a canary through an inherited descriptor',
    outcome: 'H',
    layer: 'the supervisor inherits one socket and nothing else',
    program: {
      python: `
attempt("pread", lambda: os.pread(int(sys.argv[1]), 100, 0))
attempt("open", lambda: read("/proc/self/fd/" + sys.argv[1]))
attempt("beside", lambda: os.stat("canary", dir_fd=int(sys.argv[2])))`,
    },
    args: (scene) => scene.leaked.map(String),
    confined: { pread: 'EBADF', open: 'ENOENT', beside: 'EBADF' },
    control: each(['pread', 'open', 'beside'], 'done'),
  },
  {
    id: 'D5',
    title: 'prints frames of the protocol, to every descriptor',
    outcome: 'H',
    layer: 'nothing that a job writes is taken for a frame',
    program: {
      python: `
frame = bytes.fromhex(sys.argv[1])
taken = []
for number in range(1 << 10):
    try:
        os.write(number, frame)
        taken.append(number)
    except OSError: pass
os.write(1, b"\\n")
found["taken"] = taken`,
    },
    args: () => [FRAME],
    confined: { taken: [1, 2] },
    check: ({ stdout, stderr }) => {
      expect(stderr).toHaveLength(FRAME.length / 2);
      expect(stdout.split('\n')[0]?.length).toBe(FRAME.length / 2);
    },
    control: { taken: expect.arrayContaining([1, 2]) },
  },
  {
    id: 'D7',
    title: 'looks for a control socket, and talks to it',
    outcome: 'H',
    layer: 'sealed: the control descriptors are closed',
    program: {
      python: `
attempt("send", lambda: os.write(3, b"x"))
attempt("receive", lambda: os.read(3, 1))
sockets = [os.path.join(directory, name) for top in sys.argv[1:2] for directory, _, names in os.walk(top)
    if not directory.startswith("/proc/") for name in names if "sock" in name and __import__("stat").S_ISSOCK(os.lstat(os.path.join(directory, name)).st_mode)]
found["sockets"] = len(sockets)
found["named"] = sum("@" in line or "/" in line for line in open("/proc/self/net/unix").readlines()[1:]) > 0`,
    },
    args: () => ['/'],
    controlArgs: (scene) => [scene.app],
    confined: { ...each(['send', 'receive'], 'EBADF'), sockets: 0, named: false },
    control: { send: expect.any(String), receive: expect.any(String), sockets: 1, named: true },
  },
  {
    id: 'D10',
    title: 'makes a file without a file system',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
call("memfd_create", b"x", 0)
call("execveat", -100, b"/no/such", 0, 0, 0)`,
    },
    confined: each(['memfd_create', 'execveat'], 'ENOSYS'),
    control: { memfd_create: 'done', execveat: expect.stringMatching(/^(ENOENT|EFAULT)$/) },
  },
  {
    id: 'D10',
    title: 'runs a program that it wrote to scratch, and a deleted one',
    outcome: 'E',
    layer: 'all: an exec keeps every layer',
    program: {
      python: `
import shutil, subprocess
def field(command, **options):
    text = subprocess.run(command, capture_output=True, text=True, **options).stdout
    return [line.split()[1] for line in text.splitlines() if line.startswith(("Seccomp:", "NoNewPrivs", "CapEff"))]
found["written"] = field([os.path.abspath(shutil.copy("/bin/cat", "own-cat")), "/proc/self/status"])
file = os.open("own-cat", os.O_RDONLY)
os.unlink("own-cat")
found["deleted"] = field(["/proc/self/fd/%d" % file, "/proc/self/status"], pass_fds=[file])`,
    },
    options: { env: { PATH: '/usr/bin:/bin' } },
    confined: each(['written', 'deleted'], ['0000000000000000', '1', '2']),
    control: each(['written', 'deleted'], [expect.any(String), expect.stringMatching(/[01]/), '0']),
  },
  {
    id: 'D11',
    title: 'reaches for a listener of the filter',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
call("seccomp", 3, 0, ctypes.create_string_buffer(64), name="GET_NOTIF_SIZES")
import fcntl
names = []
for number in range(1 << 12):
    try: names.append(os.readlink("/proc/self/fd/%d" % number))
    except OSError: pass
found["listeners"] = sum("seccomp" in name for name in names)`,
    },
    confined: { GET_NOTIF_SIZES: 'EPERM', listeners: 0 },
    denied: ['seccomp'],
    control: { GET_NOTIF_SIZES: 'done', listeners: 0 },
  },
  {
    id: 'D12',
    title: 'opens its streams anew',
    outcome: 'H',
    layer: 'streams are pipes of the supervisor',
    program: {
      python: `
import stat
sys.stdout.flush()
for number in [0, 1, 2, *map(int, sys.argv[1:-1] if len(sys.argv) > 3 else [])]:
    for flags, name in ((os.O_RDONLY | os.O_NONBLOCK, "read"), (os.O_RDWR | os.O_NONBLOCK, "both")):
        try:
            mode = os.fstat(os.open("/proc/self/fd/%d" % number, flags)).st_mode
            found["%d %s" % (number, name)] = "pipe" if stat.S_ISFIFO(mode) else "directory" if stat.S_ISDIR(mode) else "file"
        except OSError as error:
            found["%d %s" % (number, name)] = name_of(error.errno)`,
    },
    controlArgs: (scene) => scene.leaked.map(String),
    confined: each(['0 read', '0 both', '1 read', '1 both', '2 read', '2 both'], 'pipe'),
    control: (scene) => ({
      ...each(['0 read', '0 both', '1 read', '1 both', '2 read', '2 both'], 'ENXIO'),
      ...each([`${scene.leaked[0]} read`, `${scene.leaked[0]} both`], 'file'),
      [`${scene.leaked[1]} read`]: 'directory',
      [`${scene.leaked[1]} both`]: 'EISDIR',
    }),
  },
  {
    id: 'D13',
    title: 'patches the interpreter, to forge how it ended',
    outcome: 'H',
    layer: 'the outcome is what the kernel says',
    program: {
      python: `
import atexit, builtins
kept_exit = os._exit
for module, name in ((sys, "exit"), (os, "_exit"), (builtins, "exit"), (json, "loads"), (builtins, "exec"), (builtins, "SystemExit")):
    setattr(module, name, lambda *_: 0)
sys.excepthook = sys.unraisablehook = lambda *_: None
atexit.register(print, '{"reason":"exited","exitCode":0,"usage":{"cpuMs":0}}', flush=True)
atexit._run_exitfuncs()
end = __import__("time").process_time() + 0.3
while __import__("time").process_time() < end: pass
print(json.dumps(found), flush=True)
kept_exit(7)`,
    },
    confined: {},
    ends: { reason: 'exited', exitCode: 7 },
    check: ({ usage, ok }) => {
      expect(ok).toBe(false);
      expect(usage.cpuMs).toBeGreaterThan(200);
    },
    control: {},
    controlEnds: 'exit 7',
  },
  {
    id: 'D13',
    title: "searches all objects, frames and memory for the host's",
    outcome: 'H',
    layer: 'a zygote that was told nothing of the host',
    program: {
      python: `
import gc, hashlib, re
# Only the hash is known here: else the search would find itself.
shape, wanted = re.compile(rb"canary-[0-9a-f]{16}"), sys.argv[1]
def has(text): return any(hashlib.sha256(word).hexdigest() == wanted for word in shape.findall(text))
leaks, seen, frame = set(), 0, sys._getframe()
while frame.f_back: frame, seen = frame.f_back, seen + 1
found["frames below"] = seen
objects = gc.get_objects()
for thing in objects + [inner for inner in gc.get_referents(*objects) if isinstance(inner, (dict, tuple, list))]:
    for inner in gc.get_referents(thing):
        if isinstance(inner, str) and has(inner.encode(errors="replace")): leaks.add("text")
        if isinstance(inner, bytes) and has(inner): leaks.add("bytes")
with open("/proc/self/mem", "rb", 0) as memory:
    for line in open("/proc/self/maps"):
        if "w" not in line.split()[1]: continue
        start, end = (int(part, 16) for part in line.split()[0].split("-"))
        memory.seek(start)
        if has(memory.read(end - start)): leaks.add("memory")
found["leaks"] = sorted(leaks)`,
    },
    args: (scene) => [createHash('sha256').update(scene.secret).digest('hex')],
    confined: { 'frames below': 0, leaks: [] },
    control: { 'frames below': 0, leaks: ['bytes', 'memory'] },
  },
];
