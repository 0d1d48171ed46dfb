import { expect } from 'vitest';
import type { Syscall } from '../../../src/policy/syscalls.js';
import { asRoot, each, NotHere, type Probe } from '../probe.js';

const mountCalls =
  'mount umount2 fsopen fsconfig fsmount fspick move_mount open_tree open_tree_attr mount_setattr pivot_root chroot'.split(
    ' ',
  ) as Syscall[];

/** Calls of the machine's owner, with arguments that change nothing where they are let through. */
const ownersCalls = `
call("kexec_load", 0, 0, 0, 1 << 20)
call("kexec_file_load", -1, -1, 0, 0, 1 << 20)
call("init_module", 0, 0, b"")
call("finit_module", -1, b"", 0)
call("delete_module", b"no_such_module", 0)
call("reboot", 0, 0, 0, 0)
call("swapon", b"/no/such", 0)
call("swapoff", b"/no/such")
call("clock_settime", 999, ctypes.create_string_buffer(16))
call("settimeofday", 0, 0)
call("clock_adjtime", 999, ctypes.create_string_buffer(208))
call("adjtimex", ctypes.create_string_buffer(208))
call("sethostname", b"x" * 65, 1000)
call("setdomainname", b"x" * 65, 1000)
call("syslog", 10, 0, 0)
call("acct", b"/no/such")
call("quotactl", 0x800001 << 8, 0, 0, 0)
call("iopl", 4)
call("ioperm", 1 << 20, 1, 1)`;
const owners = [...ownersCalls.matchAll(/call\("(\w+)"/g)].map(([, name = '']) => name as Syscall);

/** The options of prctl that a job may use, of 0 to 100: names, queries, and what touches the process itself. */
const HARMLESS = [1, 2, 3, 15, 16, 21, 23, 27, 29, 30, 36, 37, 38, 39, 41, 42, 50, 51, 55, 56];

export const systemCalls: readonly Probe[] = [
  {
    id: 'S1',
    title: 'calls by the 32-bit entry',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      // mov eax, 20 (getpid); int 0x80; ret
      python: `
enter = machine_code(b"\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3")
in_child("int 0x80", lambda: found.update({"int 0x80": "done" if enter() == os.getpid() else "refused"}))`,
    },
    confined: { 'int 0x80': 'SIGSYS' },
    control: { 'int 0x80': 'done' },
  },
  {
    id: 'S1',
    title: 'calls by the 32-bit entry, in its first process',
    outcome: 'E',
    layer: 'seccomp, which kills',
    program: { python: 'machine_code(b"\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3")()' },
    confined: undefined,
    ends: { reason: 'signaled', signalName: 'SIGSYS' },
    control: {},
  },
  {
    id: 'S2',
    title: 'sets the x32 bit',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
for name, number in (("getpid", 39), ("mount", 165), ("execve", 520)):
    in_child("x32 " + name, lambda: call(0x40000000 | number, 0, 0, 0, name="x32 " + name))`,
    },
    confined: each(['x32 getpid', 'x32 mount', 'x32 execve'], 'SIGSYS'),
    // A kernel without that table answers ENOSYS; one with it does as it is told.
    control: each(['x32 getpid', 'x32 mount', 'x32 execve'], expect.stringMatching(/^(done|ENOSYS|EFAULT)$/)),
  },
  {
    id: 'S3',
    title: 'calls numbers that no kernel knows',
    outcome: 'E',
    layer: 'seccomp, by default',
    program: {
      python: `
for number in (337, 400, 423, 600, 1000, 0x3fffffff): call(number, 0, 0, 0)
in_child("-2", lambda: call(-2, 0, 0, 0))`,
    },
    confined: {
      ...each(['337', '400', '423', '600', '1000', '1073741823'], 'ENOSYS'),
      // Its x32 bit is set.
      '-2': 'SIGSYS',
    },
    control: each(['337', '400', '423', '600', '1000', '1073741823', '-2'], 'ENOSYS'),
  },
  {
    id: 'S4',
    title: 'sets up io_uring',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
call("io_uring_setup", 4, ctypes.create_string_buffer(120))
call("io_uring_enter", -1, 0, 0, 0, 0, 0)
call("io_uring_register", -1, 0, 0, 0)`,
    },
    confined: each(['io_uring_setup', 'io_uring_enter', 'io_uring_register'], 'EPERM'),
    denied: ['io_uring_setup', 'io_uring_enter', 'io_uring_register'],
    control: ({ sysctl, isRoot }) =>
      sysctl('kernel/io_uring_disabled') === '0' || (sysctl('kernel/io_uring_disabled') === '1' && isRoot)
        ? {
            io_uring_setup: 'done',
            io_uring_enter: 'EBADF',
            io_uring_register: expect.stringMatching(/^(EBADF|EINVAL)$/),
          }
        : new NotHere('io_uring is switched off on this machine'),
  },
  {
    id: 'S5',
    title: 'makes a userfaultfd',
    outcome: 'E',
    layer: 'seccomp',
    program: { python: 'call("userfaultfd", os.O_CLOEXEC | 1)' },
    confined: { userfaultfd: 'EPERM' },
    denied: ['userfaultfd'],
    control: { userfaultfd: 'done' },
  },
  {
    id: 'S6',
    title: 'makes a BPF map, and counts events',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
import struct
call("bpf", 0, struct.pack("IIIII", 2, 4, 4, 1, 0) + bytes(108), 128)
call("bpf", 5, bytes(128), 128, name="bpf program")
# A software clock of the own process, without the kernel's part.
call("perf_event_open", struct.pack("IIQQQQQ", 1, 112, 0, 0, 0, 0, 1 << 5 | 1 << 6) + bytes(64), 0, -1, -1, 0)`,
    },
    confined: each(['bpf', 'bpf program', 'perf_event_open'], 'EPERM'),
    denied: ['bpf', 'perf_event_open'],
    control: asRoot({ bpf: 'done', 'bpf program': expect.stringMatching(/^(E2BIG|EINVAL)$/), perf_event_open: 'done' }),
  },
  {
    id: 'S7',
    title: 'uses the keyrings',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
call("keyctl", 0, -1, 1, 0, 0)
call("add_key", b"user", b"pinfold-probe", b"x", 1, -1)
call("request_key", b"user", b"pinfold-no-such-key", 0, 0)`,
    },
    confined: each(['keyctl', 'add_key', 'request_key'], 'EPERM'),
    denied: ['keyctl', 'add_key', 'request_key'],
    control: { ...each(['keyctl', 'add_key'], 'done'), request_key: 'ENOKEY' },
  },
  {
    id: 'S8',
    title: 'changes the file tree, with all rights in namespaces of its own',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
namespaces_of_its_own()
os.makedirs("d", exist_ok=True)
call("mount", b"none", b"d", b"tmpfs", 0, 0)
call("umount2", b"d", 2)
context = call("fsopen", b"tmpfs", 0)
call("fsconfig", context, 6, 0, 0, 0)
mount = call("fsmount", context, 0, 0)
call("move_mount", mount, b"", -100, b"d", 4)
call("open_tree", -100, b".", 1)
call("open_tree_attr", -100, b".", 1, 0, 0)
call("mount_setattr", -100, b"d", 0, bytes(32), 32)
call("fspick", -100, b"d", 0)
call("pivot_root", b"d", b"d")
call("chroot", b".")`,
    },
    confined: each(mountCalls, 'EPERM'),
    denied: mountCalls,
    control: {
      ...each(mountCalls, 'done'),
      pivot_root: expect.stringMatching(/^(done|EBUSY|EINVAL)$/),
      fspick: expect.stringMatching(/^(done|EBUSY|EPERM)$/),
      open_tree_attr: expect.stringMatching(/^(done|ENOSYS|EINVAL)$/),
    },
  },
  {
    id: 'S8',
    title: 'bind-mounts over a file, makes mounts writable, mounts cgroups and proc',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
namespaces_of_its_own()
os.makedirs("d", exist_ok=True)
call("mount", b"/usr", b"d", 0, 4096 | 16384, 0, name="bind")
call("mount", b"none", b"d", 0, 4096 | 32, 0, name="remount writable")
call("mount", b"none", b"d", b"cgroup2", 0, 0, name="cgroup2")
call("mount", b"none", b"d", b"sysfs", 0, 0, name="sysfs")
call("mount", b"none", b"/", 0, 1 << 20 | 16384, 0, name="shared")
call("umount2", b"/proc", 2, name="umount /proc")`,
    },
    confined: each(['bind', 'remount writable', 'cgroup2', 'sysfs', 'shared', 'umount /proc'], 'EPERM'),
    denied: ['mount', 'umount2'],
    control: {
      ...each(['bind', 'shared'], 'done'),
      ...each(['remount writable', 'cgroup2', 'sysfs', 'umount /proc'], expect.any(String)),
    },
  },
  {
    id: 'S9',
    title: 'opens files by handle',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
import struct
handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
call("name_to_handle_at", -100, b"/usr", handle, ctypes.byref(ctypes.c_int()), 0)
call("open_by_handle_at", os.open("/usr", os.O_RDONLY), handle, os.O_RDONLY | os.O_DIRECTORY)`,
    },
    confined: each(['name_to_handle_at', 'open_by_handle_at'], 'EPERM'),
    denied: ['name_to_handle_at', 'open_by_handle_at'],
    control: asRoot(each(['name_to_handle_at', 'open_by_handle_at'], 'done'), {
      name_to_handle_at: 'done',
      open_by_handle_at: 'EPERM',
    }),
  },
  {
    id: 'S10',
    title: 'joins namespaces, by file and by process',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
namespaces_of_its_own()
call("setns", os.open("/proc/self/ns/uts", os.O_RDONLY), 0)
call("setns", os.open("/proc/self/ns/uts", os.O_RDONLY), 0x4000000, name="setns of a kind")
call("setns", os.pidfd_open(os.getpid()), 0x4000000, name="setns by process")`,
    },
    confined: each(['setns', 'setns of a kind', 'setns by process'], 'EPERM'),
    denied: ['setns'],
    control: each(['setns', 'setns of a kind', 'setns by process'], 'done'),
  },
  {
    id: 'S11',
    title: 'types into a terminal, or takes one',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
terminal = 0
try:
    leader, terminal = os.openpty()
    os.setsid()
except OSError: pass
HIGH = 1 << 32 | 0x7777 << 48
for extra, suffix in ((0, ""), (HIGH, " with high bits")):
    call("ioctl", terminal, 0x540e | extra, 0, name="TIOCSCTTY" + suffix)
    call("ioctl", terminal, 0x5412 | extra, b"x", name="TIOCSTI" + suffix)
    call("ioctl", terminal, 0x541c | extra, b"\\x03", name="TIOCLINUX" + suffix)
    call("ioctl", terminal, 0x5423 | extra, ctypes.byref(ctypes.c_int(0)), name="TIOCSETD" + suffix)
    call("ioctl", terminal, 0x541d | extra, 0, name="TIOCCONS" + suffix)`,
    },
    confined: each(
      ['', ' with high bits'].flatMap((suffix) =>
        ['TIOCSCTTY', 'TIOCSTI', 'TIOCLINUX', 'TIOCSETD', 'TIOCCONS'].map((name) => name + suffix),
      ),
      'EPERM',
    ),
    denied: ['ioctl'],
    control: expect.objectContaining({
      ...each(['TIOCSCTTY', 'TIOCSTI', 'TIOCSETD', 'TIOCSTI with high bits', 'TIOCSETD with high bits'], 'done'),
    }),
  },
  {
    id: 'S12',
    title: 'takes another personality',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
call("personality", 0x0040000, name="ADDR_NO_RANDOMIZE")
call("personality", 0x0400000, name="READ_IMPLIES_EXEC")
call("personality", 0x0000008, name="PER_LINUX32")
call("personality", 0xffffffff, name="query")`,
    },
    confined: { ...each(['ADDR_NO_RANDOMIZE', 'READ_IMPLIES_EXEC', 'PER_LINUX32'], 'EPERM'), query: 'done' },
    denied: ['personality'],
    control: each(['ADDR_NO_RANDOMIZE', 'READ_IMPLIES_EXEC', 'PER_LINUX32', 'query'], 'done'),
  },
  {
    id: 'S14',
    title: 'changes its descriptor table of segments',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
call("modify_ldt", 0, ctypes.create_string_buffer(16), 16)
call("modify_ldt", 1, ctypes.create_string_buffer(16), 16, name="write")`,
    },
    confined: each(['modify_ldt', 'write'], 'EPERM'),
    denied: ['modify_ldt'],
    control: each(['modify_ldt', 'write'], expect.stringMatching(/^(done|ENOSYS)$/)),
  },
  {
    id: 'S15',
    title: "takes what is the machine's owner's: kexec, modules, reboot, swap, clocks, names, ports",
    outcome: 'E',
    layer: 'seccomp',
    program: { python: ownersCalls },
    confined: each(owners, 'EPERM'),
    denied: owners,
    // Past the check of rights, each is refused for its arguments, or changes nothing.
    control: asRoot(
      expect.objectContaining({
        reboot: 'EINVAL',
        swapon: 'ENOENT',
        swapoff: 'ENOENT',
        clock_settime: 'EINVAL',
        settimeofday: 'done',
        adjtimex: 'done',
        sethostname: 'EINVAL',
        setdomainname: 'EINVAL',
        syslog: 'done',
      }) as never,
    ),
  },
  {
    id: 'S15',
    title: 'changes its identity and its capabilities',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
import struct
for name in ("setuid", "setgid", "setfsuid", "setfsgid"): call(name, 0)
for name in ("setreuid", "setregid"): call(name, 0, 0)
for name in ("setresuid", "setresgid"): call(name, 0, 0, 0)
call("setgroups", 0, 0)
call("capset", struct.pack("Ii", 0x20080522, 0), bytes(24))
found["ids"] = [os.getuid(), os.geteuid(), os.getgid(), len(os.getgroups())]`,
    },
    confined: {
      ...each(
        'setuid setgid setfsuid setfsgid setreuid setregid setresuid setresgid setgroups capset'.split(' '),
        'EPERM',
      ),
      ids: [1000, 1000, 1000, 0],
    },
    denied: ['setuid', 'setgid', 'setresuid', 'setgroups', 'capset'],
    control: asRoot({
      ...each(
        'setuid setgid setfsuid setfsgid setreuid setregid setresuid setresgid setgroups capset'.split(' '),
        'done',
      ),
      ids: [0, 0, 0, 0],
    }),
  },
  {
    id: 'S16',
    title: 'installs filters of its own, with a listener',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
import struct
in_child("child", lambda: call("prctl", 22, 1, 0, 0, 0, name="strict"))
found.pop("child", None)
found.setdefault("strict", "done")
instructions = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0x7fff0000))
program = struct.pack("HxxxxxxQ", 1, ctypes.addressof(instructions))
libc.prctl(38, 1, 0, 0, 0)
call("seccomp", 1, 8, program, name="NEW_LISTENER")
call("seccomp", 1, 0, program, name="SET_MODE_FILTER")
call("seccomp", 1, 1 << 4 | 1 << 3 | 1, program, name="TSYNC with a listener")
call("prctl", 22, 2, program, 0, 0, name="by prctl")`,
    },
    confined: each(['NEW_LISTENER', 'SET_MODE_FILTER', 'TSYNC with a listener', 'by prctl', 'strict'], 'EPERM'),
    denied: ['seccomp', 'prctl'],
    control: {
      ...each(['NEW_LISTENER', 'SET_MODE_FILTER', 'by prctl', 'strict'], 'done'),
      'TSYNC with a listener': expect.any(String),
    },
  },
  {
    id: 'S17',
    title: 'tries every option of prctl',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
refusals = {}
for option in range(101):
    call("prctl", option, 0, 0, 0, 0, name="one")
    refusals[option] = found.pop("one")
found["not refused"] = [option for option, errno in refusals.items() if errno not in ("EPERM", "errno 151")]
for name, option, value in (("KEEPCAPS", 8, 1), ("MM", 35, 1), ("PTRACER", 0x59616d61, -1), ("SPECULATION", 53, 0), ("SYSCALL_USER_DISPATCH", 59, 0)):
    call("prctl", option, value, 0, 0, 0, name=name)`,
    },
    confined: {
      'not refused': HARMLESS,
      ...each(['KEEPCAPS', 'MM', 'PTRACER', 'SPECULATION', 'SYSCALL_USER_DISPATCH'], 'EPERM'),
    },
    denied: ['prctl'],
    control: expect.objectContaining({
      'not refused': expect.arrayContaining([4, 8, 22, 53, 59]),
      KEEPCAPS: 'done',
      SYSCALL_USER_DISPATCH: 'done',
    }),
  },
  {
    id: 'S18',
    title: 'uses rseq, membarrier and futex_waitv as runtimes do',
    outcome: 'S',
    layer: 'none: they are let through',
    program: {
      python: `
import struct, threading
call("membarrier", 0, 0, 0)
call("rseq", 0, 0, 0, 0)
word = ctypes.c_uint32(1)
waiter = struct.pack("QQII", 0, ctypes.addressof(word), 2, 0)
call("futex_waitv", waiter, 1, 0, 0, 1)
call("mseal", 0, 0, 0)
call("statx", -100, b"/", 0, 0xfff, ctypes.create_string_buffer(256))
call("close_range", 500, 600, 0)
lock = threading.Lock()
with lock: found["threads"] = threading.active_count()`,
    },
    confined: {
      ...each(['membarrier', 'statx', 'close_range'], 'done'),
      rseq: 'EINVAL',
      futex_waitv: 'EAGAIN',
      mseal: expect.stringMatching(/^(done|ENOSYS)$/),
      threads: 1,
    },
    control: {
      ...each(['membarrier', 'statx', 'close_range'], 'done'),
      rseq: 'EINVAL',
      futex_waitv: 'EAGAIN',
      mseal: expect.stringMatching(/^(done|ENOSYS)$/),
      threads: 1,
    },
  },
  {
    id: 'S19',
    title: 'reads the state of every thread and of a child',
    outcome: 'E',
    layer: 'seccomp on every thread, no capabilities, no_new_privs',
    program: {
      python: `
import threading
stop = threading.Event()
for _ in range(4): threading.Thread(target=stop.wait).start()
def state(path):
    fields = dict(line.split(":\\t", 1) for line in read(path, "r").splitlines() if ":\\t" in line)
    return " ".join(fields[name] for name in ("Seccomp", "NoNewPrivs", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"))
states = [state("/proc/self/task/%s/status" % task) for task in os.listdir("/proc/self/task")]
stop.set()
found["threads"] = len(states)
found["states"] = sorted(set(states))
in_child("child", lambda: found.update({"child": state("/proc/self/status")}))`,
    },
    confined: {
      threads: 5,
      states: [`2 1${' 0000000000000000'.repeat(5)}`],
      child: `2 1${' 0000000000000000'.repeat(5)}`,
    },
    control: { threads: 5, states: [expect.stringMatching(/^0 0 /)], child: expect.stringMatching(/^0 0 /) },
  },
];
