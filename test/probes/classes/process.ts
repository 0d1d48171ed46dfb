import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { asCapable, asRoot, each, type Probe } from '../probe.js';
import { findMarked, type Scene } from '../support/scene.js';

const NAMESPACES = ['NEWNS', 'NEWCGROUP', 'NEWUTS', 'NEWIPC', 'NEWUSER', 'NEWPID', 'NEWNET', 'NEWTIME'];

const RLIMITS = ['CPU', 'CORE', 'NPROC', 'NOFILE', 'MEMLOCK', 'SIGPENDING', 'MSGQUEUE', 'NICE', 'RTPRIO'].flatMap(
  (name) => [name, `${name} by setrlimit`],
);

const isAlive = (pid: number) => readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') S ');
const expectVictimAlive = (_: unknown, scene: Scene) => expect(isAlive(scene.victim)).toBe(true);
const expectSurvivors = (scene: Scene) => expect(findMarked(scene.marker).length).toBeGreaterThan(0);

/** Forks until it is refused, or as often as it is told to: what is made sleeps. */
const bomb = (fork: string) => `
import time
limit = int(sys.argv[1])
pids = []
found["stopped by"] = "nothing"
try:
    while len(pids) < limit:
        ${fork}
except OSError as error:
    found["stopped by"] = name_of(error.errno)
except RuntimeError:
    found["stopped by"] = "no more threads"
found["at most"] = len(pids) if len(pids) > 32 else 32`;

/** Programs that leave something behind: it would go on for a minute. */
const leavers = {
  'double fork and setsid': `
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for fd in (0, 1, 2): os.close(fd)
        import time
        time.sleep(60)
    os._exit(0)
os.wait()`,
  'children that hold the pipes and ignore every signal': `
for _ in range(5):
    if os.fork() == 0:
        for number in range(1, 65):
            try: signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError): pass
        import time
        time.sleep(60)
        os._exit(0)`,
  'a chain of children that outrun their parents': `
import time
if os.fork() == 0:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if os.fork() > 0: os._exit(0)
        os.setsid()
        time.sleep(0.02)
    os._exit(0)`,
};

const asSelf = `
import subprocess
def status(name, text):
    fields = dict(line.split(":\\t", 1) for line in text.splitlines() if ":\\t" in line)
    for field in ("Seccomp", "NoNewPrivs", "CapEff", "CapBnd"): found[name + " " + field] = fields[field]
`;
const unprivileged = { Seccomp: '2', NoNewPrivs: '1', CapEff: '0000000000000000', CapBnd: '0000000000000000' };
const sealed = (names: readonly string[]) =>
  Object.fromEntries(
    names.flatMap((name) => Object.entries(unprivileged).map(([field, value]) => [`${name} ${field}`, value])),
  );

export const processes: readonly Probe[] = [
  {
    id: 'P1',
    title: 'forks until it is refused',
    outcome: 'B',
    layer: 'control group, RLIMIT_NPROC',
    program: {
      python: bomb(`pid = os.fork()
        if pid == 0:
            time.sleep(30)
            os._exit(0)
        pids.append(pid)`),
    },
    args: () => ['1000'],
    controlArgs: () => ['50'],
    confined: { 'stopped by': 'EAGAIN', 'at most': 32 },
    control: { 'stopped by': 'nothing', 'at most': 50 },
  },
  {
    id: 'P1',
    title: 'starts threads until it is refused',
    outcome: 'B',
    layer: 'control group, RLIMIT_NPROC',
    program: {
      python: `import threading
${bomb(`thread = threading.Thread(target=time.sleep, args=(0.5,), daemon=True)
        thread.start()
        pids.append(thread)`)}`,
    },
    args: () => ['1000'],
    controlArgs: () => ['50'],
    confined: { 'stopped by': 'no more threads', 'at most': 32 },
    control: { 'stopped by': 'nothing', 'at most': 50 },
  },
  {
    id: 'P1',
    title: 'is a fork bomb, each child as well',
    outcome: 'B',
    layer: 'control group, RLIMIT_NPROC, supervisor',
    program: {
      python: `
import time
for _ in range(int(sys.argv[1])):
    try: os.fork()
    except OSError: pass
time.sleep(60)`,
    },
    args: () => ['1000000'],
    controlArgs: () => ['5'],
    options: { wallMs: 700, cpuMs: 60_000 },
    confined: undefined,
    ends: { reason: 'wall-limit', signalName: 'SIGKILL' },
    check: ({ usage }) => {
      if (usage.processesPeak !== null) expect(usage.processesPeak).toBeLessThanOrEqual(33);
    },
    control: undefined,
    controlEnds: 'still running',
    controlMs: 1_000,
    controlCheck: (scene) => expect(findMarked(scene.marker).length).toBe(32),
  },
  ...Object.entries(leavers).flatMap(([title, code]): Probe[] => [
    {
      id: 'P2',
      title: `leaves ${title}`,
      outcome: 'B',
      layer: 'pid namespace, pid 1',
      program: { python: code },
      confined: {},
      check: ({ usage }) => expect(usage.wallMs).toBeLessThan(10_000),
      control: {},
      controlCheck: expectSurvivors,
    },
  ]),
  {
    id: 'P3',
    title: 'kills everything it may',
    outcome: 'H',
    layer: 'pid namespace',
    program: {
      python: `
import time
child = os.fork()
if child == 0:
    time.sleep(60)
    os._exit(0)
attempt("all", lambda: os.kill(-1, int(sys.argv[1])))
if int(sys.argv[1]) == 0: os.kill(child, signal.SIGKILL)
found["child"] = signal.Signals(os.waitpid(child, 0)[1]).name
attempt("host's", lambda: os.kill(int(sys.argv[2]), int(sys.argv[1])))
attempt("own group", lambda: os.kill(0, 0))`,
    },
    args: (scene) => ['9', `${scene.victim}`],
    // Signal 0 asks whether a signal might be sent, and sends none.
    controlArgs: (scene) => ['0', `${scene.victim}`],
    confined: { all: 'done', child: 'SIGKILL', "host's": 'ESRCH', 'own group': 'done' },
    check: expectVictimAlive,
    control: { all: 'done', child: 'SIGKILL', "host's": 'done', 'own group': 'done' },
  },
  {
    id: 'P4',
    title: 'signals its parent, and processes of the host',
    outcome: 'H',
    layer: 'pid namespace, Landlock scopes',
    program: {
      python: `
import struct
number, parent, victim = int(sys.argv[1]), os.getppid(), int(sys.argv[2])
call("kill", victim, number)
call("tkill", victim, number)
call("tgkill", victim, victim, number)
call("rt_sigqueueinfo", victim, number, struct.pack("iii", number, 0, -1) + bytes(116))
call("pidfd_open", victim, 0)
attempt("stop parent", lambda: os.kill(parent, number and signal.SIGSTOP))
attempt("kill parent", lambda: os.kill(parent, number))
found["parent"] = "there" if os.getppid() == parent else "gone"`,
    },
    args: (scene) => ['9', `${scene.victim}`],
    controlArgs: (scene) => ['0', `${scene.victim}`],
    confined: (scene) => ({
      ...each(['kill', 'tkill', 'tgkill', 'rt_sigqueueinfo', 'pidfd_open'], 'ESRCH'),
      // Without Landlock's scopes the kernel drops what pid 1 of a namespace has no handler for, and tells of success.
      ...each(['stop parent', 'kill parent'], scene.has('processes', 'Landlock') ? 'EPERM' : 'done'),
      parent: 'there',
    }),
    check: expectVictimAlive,
    control: {
      ...each(['kill', 'tkill', 'tgkill', 'rt_sigqueueinfo', 'pidfd_open', 'stop parent', 'kill parent'], 'done'),
      parent: 'there',
    },
  },
  {
    id: 'P5',
    title: 'traces itself and its child',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
import time
child = os.fork()
if child == 0:
    time.sleep(60)
    os._exit(0)
call("ptrace", 0x4206, child, 0, 0, name="SEIZE child")
in_child("me", lambda: call("ptrace", 0, 0, 0, 0, name="TRACEME"))
os.kill(child, signal.SIGKILL)`,
    },
    confined: each(['SEIZE child', 'TRACEME'], 'EPERM'),
    denied: ['ptrace'],
    control: each(['SEIZE child', 'TRACEME'], 'done'),
  },
  {
    id: 'P6',
    title: "reads and writes its child's memory, by call and by file",
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
import time
child = os.fork()
if child == 0:
    time.sleep(60)
    os._exit(0)
class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
here, there = ctypes.create_string_buffer(8), ctypes.create_string_buffer(8)
vector = lambda buffer: ctypes.byref(Vector(ctypes.addressof(buffer), 8))
call("process_vm_readv", child, vector(here), 1, vector(there), 1, 0)
call("process_vm_writev", child, vector(here), 1, vector(there), 1, 0)
call("kcmp", child, os.getpid(), 0, 0, 0)
pidfd = call("pidfd_open", child, 0)
call("process_madvise", pidfd, vector(ctypes.create_string_buffer(4096)), 0, 20, 0)
os.kill(child, signal.SIGKILL)`,
    },
    confined: {
      ...each(['process_vm_readv', 'process_vm_writev', 'kcmp', 'process_madvise'], 'EPERM'),
      pidfd_open: 'done',
    },
    denied: ['process_vm_readv', 'process_vm_writev', 'kcmp', 'process_madvise'],
    // Advice for another process takes CAP_SYS_NICE.
    control: (scene) => ({
      ...each(['process_vm_readv', 'process_vm_writev', 'kcmp', 'pidfd_open'], 'done'),
      process_madvise: scene.isRoot ? 'done' : 'EPERM',
    }),
  },
  {
    id: 'P6',
    title: "opens the memory of pid 1 and of the host's processes",
    outcome: 'H',
    layer: 'pid namespace, /proc with hidepid',
    program: {
      python: `
for name, pid in zip(("first", "host's"), sys.argv[1:3]):
    for file in ("mem", "maps", "syscall", "auxv"): attempt(name + " " + file, lambda: os.close(os.open("/proc/%s/%s" % (pid, file), os.O_RDONLY)))`,
    },
    args: (scene) => ['1', `${scene.victim}`],
    controlArgs: (scene) => [`${scene.victim}`, `${scene.victim}`],
    confined: each(
      ['first', "host's"].flatMap((name) => ['mem', 'maps', 'syscall', 'auxv'].map((file) => `${name} ${file}`)),
      'ENOENT',
    ),
    control: each(
      ['first', "host's"].flatMap((name) => ['mem', 'maps', 'syscall', 'auxv'].map((file) => `${name} ${file}`)),
      'done',
    ),
  },
  {
    id: 'P7',
    title: 'takes a descriptor out of its child, and out of itself',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
import time
child = os.fork()
if child == 0:
    time.sleep(60)
    os._exit(0)
call("pidfd_getfd", call("pidfd_open", child, 0), 0, 0, name="child's")
call("pidfd_getfd", call("pidfd_open", os.getpid(), 0), 0, 0, name="own")
os.kill(child, signal.SIGKILL)`,
    },
    confined: { pidfd_open: 'done', ...each(["child's", 'own'], 'EPERM') },
    denied: ['pidfd_getfd'],
    control: { pidfd_open: 'done', ...each(["child's", 'own'], 'done') },
  },
  {
    id: 'P8',
    title: 'sets whether it can be dumped and traced',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
for value in (0, 1): call("prctl", 4, value, 0, 0, 0, name="PR_SET_DUMPABLE %d" % value)
call("prctl", 4 | 1 << 32, 1, 0, 0, 0, name="with high bits")`,
    },
    confined: each(['PR_SET_DUMPABLE 0', 'PR_SET_DUMPABLE 1', 'with high bits'], 'EPERM'),
    denied: ['prctl'],
    control: each(['PR_SET_DUMPABLE 0', 'PR_SET_DUMPABLE 1', 'with high bits'], 'done'),
  },
  {
    id: 'P9',
    title: 'crashes for a core file',
    outcome: 'B',
    layer: 'RLIMIT_CORE, read-only mounts',
    program: {
      python: `
import struct
call("prlimit64", 0, 4, struct.pack("QQ", 1 << 20, 1 << 20), 0, name="raise")
child = os.fork()
if child == 0: os.kill(os.getpid(), signal.SIGSEGV)
status = os.waitpid(child, 0)[1]
found["child"] = signal.Signals(os.WTERMSIG(status)).name
found["dumped"] = os.WCOREDUMP(status)
found["files"] = [name for name in os.listdir(".") if name.startswith("core")]`,
    },
    confined: { raise: 'EPERM', child: 'SIGSEGV', dumped: false, files: [] },
    control: asRoot(
      { raise: 'done', child: 'SIGSEGV', dumped: true, files: expect.any(Array) },
      { raise: expect.any(String), child: 'SIGSEGV', dumped: expect.any(Boolean), files: expect.any(Array) },
    ),
  },
  {
    id: 'P9',
    title: 'crashes by itself',
    outcome: 'B',
    layer: 'supervisor',
    program: { python: 'ctypes.string_at(8)' },
    confined: undefined,
    ends: { reason: 'signaled', signalName: 'SIGSEGV' },
    control: undefined,
    controlEnds: 'SIGSEGV',
  },
  {
    id: 'P10',
    title: 'takes the processor before others',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
call("sched_setscheduler", 0, 1, ctypes.byref(ctypes.c_int(1)), name="SCHED_FIFO")
call("sched_setscheduler", 0, 0x40000002, ctypes.byref(ctypes.c_int(1)), name="SCHED_RR")
call("sched_setattr", 0, (48).to_bytes(4, "little") + bytes(44), 0)
call("setpriority", 0, 0, -5, name="nice -5")
call("setpriority", 1, 0, -5, name="group's nice -5")
call("setpriority", 2, 0, 0, name="user's nice")
call("ioprio_set", 1, 0, 1 << 13, name="ioprio_set")`,
    },
    confined: each(
      ['SCHED_FIFO', 'SCHED_RR', 'sched_setattr', 'nice -5', "group's nice -5", "user's nice", 'ioprio_set'],
      'EPERM',
    ),
    denied: ['sched_setscheduler', 'sched_setattr', 'setpriority', 'ioprio_set'],
    control: asRoot({
      ...each(['SCHED_FIFO', 'SCHED_RR', 'sched_setattr', 'nice -5', "group's nice -5", "user's nice"], 'done'),
      ioprio_set: 'done',
    }),
  },
  {
    id: 'P12',
    title: 'makes namespaces, each kind by unshare and by clone',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
USER = 0x10000000
flags = {"NEWNS": 0x20000, "NEWCGROUP": 0x2000000, "NEWUTS": 0x4000000, "NEWIPC": 0x8000000, "NEWUSER": USER,
    "NEWPID": 0x20000000, "NEWNET": 0x40000000, "NEWTIME": 0x80}
for name, flag in flags.items():
    in_child("child", lambda: call("unshare", flag | USER, name="unshare " + name))
    if name == "NEWTIME": continue
    pid = call("clone", flag | USER | signal.SIGCHLD, 0, 0, 0, 0, name="clone " + name)
    if pid == 0: os._exit(0)
    if pid > 0: os.waitpid(pid, 0)
in_child("child", lambda: call("unshare", 0x400, name="unshare of nothing but descriptors"))`,
    },
    confined: {
      ...each(
        NAMESPACES.flatMap((name) => [`unshare ${name}`, ...(name === 'NEWTIME' ? [] : [`clone ${name}`])]),
        'EPERM',
      ),
      'unshare of nothing but descriptors': 'EPERM',
    },
    denied: ['unshare', 'clone'],
    control: {
      ...each(
        NAMESPACES.flatMap((name) => [`unshare ${name}`, ...(name === 'NEWTIME' ? [] : [`clone ${name}`])]),
        'done',
      ),
      'unshare of nothing but descriptors': 'done',
    },
  },
  {
    id: 'P13',
    title: 'calls clone3, and starts threads all the same',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
import threading
class Arguments(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in "flags pidfd child_tid parent_tid exit_signal stack stack_size tls set_tid set_tid_size cgroup".split()]
for name, flags in (("clone3", 0), ("clone3 NEWUSER", 0x10000000)):
    arguments = Arguments(flags=flags, exit_signal=17)
    pid = call("clone3", ctypes.byref(arguments), ctypes.sizeof(arguments), name=name)
    if pid == 0: os._exit(0)
    if pid > 0: os.waitpid(pid, 0)
ran = []
threads = [threading.Thread(target=ran.append, args=(1,)) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
found["threads"] = len(ran)`,
    },
    confined: { ...each(['clone3', 'clone3 NEWUSER'], 'ENOSYS'), threads: 4 },
    control: { ...each(['clone3', 'clone3 NEWUSER'], 'done'), threads: 4 },
  },
  {
    id: 'P15',
    title: 'ends first, with children and threads that go on',
    outcome: 'B',
    layer: 'pid 1',
    program: {
      python: `
import threading, time
for _ in range(8):
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
print("{}", flush=True)
os._exit(3)`,
    },
    confined: {},
    ends: { reason: 'exited', exitCode: 3 },
    check: ({ usage }) => expect(usage.wallMs).toBeLessThan(5_000),
    control: {},
    controlEnds: 'exit 3',
    controlCheck: expectSurvivors,
  },
  {
    id: 'P16',
    title: 'stops itself',
    outcome: 'B',
    layer: 'supervisor',
    program: { python: 'os.kill(os.getpid(), signal.SIGSTOP)' },
    options: { wallMs: 400 },
    confined: undefined,
    ends: { reason: 'wall-limit', signalName: 'SIGKILL' },
    control: undefined,
    controlEnds: 'still running',
    controlMs: 1_000,
  },
  {
    id: 'P16',
    title: 'blocks every signal and waits for none',
    outcome: 'B',
    layer: 'supervisor',
    program: {
      python: `
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
while True: signal.sigtimedwait([], 10)`,
    },
    options: { wallMs: 400 },
    confined: undefined,
    ends: { reason: 'wall-limit', signalName: 'SIGKILL' },
    control: undefined,
    controlEnds: 'still running',
    controlMs: 1_000,
  },
  {
    id: 'P17',
    title: 'becomes another interpreter, and another program',
    outcome: 'E',
    layer: 'all: an exec keeps every layer',
    program: {
      python: `${asSelf}
status("python", subprocess.check_output([sys.executable, "-c", "print(open('/proc/self/status').read())"], text=True))
status("shell", subprocess.check_output(["/bin/sh", "-c", "exec /usr/bin/env cat /proc/self/status"], text=True))
again = "import os\\ntry:\\n  os.listdir('%s')\\n  print('done')\\nexcept OSError as error: print(error.errno)"
found["app"] = subprocess.check_output([sys.executable, "-c", again % sys.argv[1]], text=True).strip()`,
    },
    args: (scene) => [scene.app],
    options: { env: { PATH: '/usr/bin:/bin' } },
    confined: { ...sealed(['python', 'shell']), app: '2' },
    control: expect.objectContaining({ 'python Seccomp': '0', 'shell Seccomp': '0', app: 'done' }),
  },
  {
    id: 'P17',
    title: 'replaces itself by an interpreter that tries again',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
code = "import ctypes; libc = ctypes.CDLL(None, use_errno=True); import json, errno; print(json.dumps({'unshare': 'done' if libc.unshare(0x10000000) == 0 else errno.errorcode.get(ctypes.get_errno(), 'errno %d' % ctypes.get_errno())}), flush=True)"
os.execv(sys.executable, [sys.executable, "-c", code, sys.argv[-1]])`,
    },
    confined: { unshare: 'EPERM' },
    denied: ['unshare'],
    control: { unshare: 'done' },
  },
  {
    id: 'P18',
    title: 'raises its hard limits',
    outcome: 'E',
    layer: 'no capabilities',
    program: {
      python: `
import struct
kinds = {"CPU": 0, "CORE": 4, "NPROC": 6, "NOFILE": 7, "MEMLOCK": 8, "SIGPENDING": 11, "MSGQUEUE": 12, "NICE": 13, "RTPRIO": 14}
for name, kind in kinds.items():
    if len(sys.argv) > 2: call("prlimit64", 0, kind, struct.pack("QQ", 1024, 1024), 0)
    limits = ctypes.create_string_buffer(16)
    call("prlimit64", 0, kind, 0, limits)
    soft, hard = struct.unpack("QQ", limits.raw)
    call("prlimit64", 0, kind, struct.pack("QQ", soft, hard + 1), 0, name=name)
    call("setrlimit", kind, struct.pack("QQ", soft, hard + 1), name=name + " by setrlimit")
del found["prlimit64"]`,
    },
    controlArgs: () => ['lower first'],
    confined: each(RLIMITS, 'EPERM'),
    control: asCapable('CAP_SYS_RESOURCE', each(RLIMITS, 'done')),
  },
  {
    id: 'P18',
    title: 'sets limits of another process',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
import time
child = os.fork()
if child == 0:
    time.sleep(60)
    os._exit(0)
limit = ctypes.create_string_buffer(16)
call("prlimit64", child, 7, 0, limit, name="child's")
call("prlimit64", os.getppid(), 7, 0, limit, name="parent's")
os.kill(child, signal.SIGKILL)`,
    },
    confined: each(["child's", "parent's"], 'EPERM'),
    denied: ['prlimit64'],
    control: each(["child's", "parent's"], 'done'),
  },
];
