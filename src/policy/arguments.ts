import type { ShownCall } from '../protocol.js';
import { type Arch, type Syscall, syscallNumber } from './syscalls.js';

/** Which arguments of a refused call say what was wanted, and what they are called: for `denials`, never for a decision. */
export interface ShownArguments {
  /** Arguments count from 0. Their low 32 bits count, as with the filter. */
  readonly values?: readonly { readonly argument: number; readonly name: (value: number) => string }[];
  /** The argument that points to a text of the job's, read while the call is held. */
  readonly text?: {
    readonly argument: number;
    /** The argument with its length; without, it ends with a NUL. */
    readonly length?: number;
    readonly name: (text: Buffer) => string;
  };
}

type Names = Readonly<Record<number, string>>;

const hexadecimal = (value: number): string => `0x${value.toString(16)}`;
const decimal = (value: number): string => String(value | 0);

function oneOf(names: Names, otherwise: (value: number) => string = decimal): (value: number) => string {
  return (value) => names[value] ?? otherwise(value);
}

function flagsOf(names: Names): (value: number) => string {
  return (value) => {
    const found: string[] = [];
    let rest = value;
    for (const [bit, name] of Object.entries(names)) {
      if ((value & Number(bit)) === 0) continue;
      found.push(name);
      rest = (rest & ~Number(bit)) >>> 0;
    }
    if (rest !== 0 || found.length === 0) found.push(hexadecimal(rest));
    return found.join('|');
  };
}

/** Control characters are written out, so that a text of the job's can't act on the terminal that shows it. */
function printable(text: Buffer): string {
  return text
    .toString('utf8')
    .replaceAll(
      /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u{FFFD}]/gu,
      (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
    );
}

const FAMILIES: Names = {
  0: 'AF_UNSPEC',
  1: 'AF_UNIX',
  2: 'AF_INET',
  10: 'AF_INET6',
  15: 'AF_KEY',
  16: 'AF_NETLINK',
  17: 'AF_PACKET',
  21: 'AF_RDS',
  29: 'AF_CAN',
  30: 'AF_TIPC',
  31: 'AF_BLUETOOTH',
  38: 'AF_ALG',
  39: 'AF_NFC',
  40: 'AF_VSOCK',
  44: 'AF_XDP',
};
const SOCKET_TYPES: Names = {
  1: 'SOCK_STREAM',
  2: 'SOCK_DGRAM',
  3: 'SOCK_RAW',
  4: 'SOCK_RDM',
  5: 'SOCK_SEQPACKET',
};
const SOCKET_TYPE_MASK = 0xf;

const NAMESPACE_FLAGS: Names = {
  128: 'CLONE_NEWTIME',
  131072: 'CLONE_NEWNS',
  33554432: 'CLONE_NEWCGROUP',
  67108864: 'CLONE_NEWUTS',
  134217728: 'CLONE_NEWIPC',
  268435456: 'CLONE_NEWUSER',
  536870912: 'CLONE_NEWPID',
  1073741824: 'CLONE_NEWNET',
};
/** Of clone, whose other flags are what any thread or process has. */
const NEW_NAMESPACES = 0x7e020000;

const PTRACE_REQUESTS: Names = {
  0: 'PTRACE_TRACEME',
  1: 'PTRACE_PEEKTEXT',
  2: 'PTRACE_PEEKDATA',
  3: 'PTRACE_PEEKUSER',
  4: 'PTRACE_POKETEXT',
  5: 'PTRACE_POKEDATA',
  6: 'PTRACE_POKEUSER',
  7: 'PTRACE_CONT',
  8: 'PTRACE_KILL',
  12: 'PTRACE_GETREGS',
  13: 'PTRACE_SETREGS',
  16: 'PTRACE_ATTACH',
  17: 'PTRACE_DETACH',
  24: 'PTRACE_SYSCALL',
  16896: 'PTRACE_SETOPTIONS',
  16900: 'PTRACE_GETREGSET',
  16901: 'PTRACE_SETREGSET',
  16902: 'PTRACE_SEIZE',
};

const PRCTL_OPTIONS: Names = {
  4: 'PR_SET_DUMPABLE',
  8: 'PR_SET_KEEPCAPS',
  22: 'PR_SET_SECCOMP',
  24: 'PR_CAPBSET_DROP',
  28: 'PR_SET_SECUREBITS',
  35: 'PR_SET_MM',
  47: 'PR_CAP_AMBIENT',
  53: 'PR_SET_SPECULATION_CTRL',
  59: 'PR_SET_SYSCALL_USER_DISPATCH',
  1499557217: 'PR_SET_PTRACER',
};

const IOCTL_REQUESTS: Names = {
  21518: 'TIOCSCTTY',
  21522: 'TIOCSTI',
  21532: 'TIOCLINUX',
  21533: 'TIOCCONS',
  21539: 'TIOCSETD',
};

const FCNTL_COMMANDS: Names = { 1024: 'F_SETLEASE', 1026: 'F_NOTIFY', 1031: 'F_SETPIPE_SZ', 1040: 'F_SETDELEG' };
const SECCOMP_OPERATIONS: Names = {
  0: 'SECCOMP_SET_MODE_STRICT',
  1: 'SECCOMP_SET_MODE_FILTER',
  2: 'SECCOMP_GET_ACTION_AVAIL',
  3: 'SECCOMP_GET_NOTIF_SIZES',
};
const MAP_FLAGS: Names = { 1: 'MAP_SHARED', 2: 'MAP_PRIVATE', 32: 'MAP_ANONYMOUS', 262144: 'MAP_HUGETLB' };
const SCHEDULERS: Names = { 1: 'SCHED_FIFO', 2: 'SCHED_RR', 6: 'SCHED_DEADLINE', 7: 'SCHED_EXT' };
const NODE_KINDS: Names = { 8192: 'S_IFCHR', 24576: 'S_IFBLK', 49152: 'S_IFSOCK' };
const NODE_KIND_MASK = 0xf000;

/** struct sockaddr: sockaddr_in, sockaddr_in6 and sockaddr_un as people write them. */
function address(bytes: Buffer): string {
  if (bytes.length < 2) return 'no address';
  const family = oneOf(FAMILIES)(bytes.readUInt16LE(0));
  if (family === 'AF_INET' && bytes.length >= 8) return `${bytes.subarray(4, 8).join('.')}:${bytes.readUInt16BE(2)}`;
  if (family === 'AF_INET6' && bytes.length >= 24) {
    const groups = [8, 10, 12, 14, 16, 18, 20, 22].map((at) => bytes.readUInt16BE(at).toString(16));
    return `[${groups.join(':')}]:${bytes.readUInt16BE(2)}`;
  }
  if (family !== 'AF_UNIX') return family;
  const path = bytes.subarray(2);
  // An abstract name begins with a NUL, which people write as @.
  return path[0] === 0 ? `@${printable(path.subarray(1))}` : printable(path.subarray(0, ending(path)));
}

function ending(bytes: Buffer): number {
  const at = bytes.indexOf(0);
  return at < 0 ? bytes.length : at;
}

const value = (argument: number, name: (value: number) => string): ShownArguments => ({ values: [{ argument, name }] });
const path = (argument: number): ShownArguments => ({ text: { argument, name: printable } });
const peer: ShownArguments = { text: { argument: 1, length: 2, name: address } };
const node = (pathArgument: number): ShownArguments => ({
  text: { argument: pathArgument, name: printable },
  values: [
    { argument: pathArgument + 1, name: (mode) => oneOf(NODE_KINDS, hexadecimal)((mode & NODE_KIND_MASK) >>> 0) },
  ],
});
const socket: ShownArguments = {
  values: [
    { argument: 0, name: oneOf(FAMILIES) },
    { argument: 1, name: (type) => oneOf(SOCKET_TYPES)(type & SOCKET_TYPE_MASK) },
  ],
};

export const shownArguments: Readonly<Partial<Record<Syscall, ShownArguments>>> = {
  socket,
  socketpair: socket,
  connect: peer,
  bind: peer,
  setsockopt: {
    values: [
      { argument: 1, name: decimal },
      { argument: 2, name: decimal },
    ],
  },
  clone: value(0, (flags) => flagsOf(NAMESPACE_FLAGS)((flags & NEW_NAMESPACES) >>> 0)),
  unshare: value(0, flagsOf(NAMESPACE_FLAGS)),
  setns: value(1, flagsOf(NAMESPACE_FLAGS)),
  ptrace: {
    values: [
      { argument: 0, name: oneOf(PTRACE_REQUESTS, hexadecimal) },
      { argument: 1, name: decimal },
    ],
  },
  process_vm_readv: value(0, decimal),
  process_vm_writev: value(0, decimal),
  prlimit64: value(0, decimal),
  prctl: value(0, oneOf(PRCTL_OPTIONS)),
  ioctl: value(1, oneOf(IOCTL_REQUESTS, hexadecimal)),
  fcntl: value(1, oneOf(FCNTL_COMMANDS)),
  seccomp: value(0, oneOf(SECCOMP_OPERATIONS)),
  bpf: value(0, decimal),
  keyctl: value(0, decimal),
  personality: value(0, hexadecimal),
  mmap: value(3, flagsOf(MAP_FLAGS)),
  sched_setscheduler: value(1, oneOf(SCHEDULERS)),
  setuid: value(0, decimal),
  setgid: value(0, decimal),
  mount: { text: { argument: 1, name: printable } },
  umount2: path(0),
  pivot_root: path(0),
  chroot: path(0),
  fsopen: path(0),
  fspick: path(1),
  move_mount: path(1),
  open_tree: path(1),
  mount_setattr: path(1),
  name_to_handle_at: path(1),
  fanotify_mark: path(4),
  inotify_add_watch: path(1),
  mknod: node(0),
  mknodat: node(1),
  execveat: path(1),
  memfd_create: path(0),
  swapon: path(0),
  swapoff: path(0),
  acct: path(0),
  setxattr: path(0),
  lsetxattr: path(0),
};

/** The table by numbers, for the supervisor. */
export function shownCalls(arch: Arch): ShownCall[] {
  return Object.entries(shownArguments).flatMap(([call, { values = [], text }]) => {
    const number = syscallNumber(call as Syscall, arch);
    return number === null ? [] : [{ number, values: values.map(({ argument }) => argument), text }];
  });
}
