import type { Guarantee } from '../isolation.js';
import type { Choice } from './decision.js';
import type { Syscall } from './syscalls.js';

/** A call that is let through for some arguments only. A caller can deny it, but never open the rest. */
export interface Rule {
  readonly call: Syscall;
  readonly reason: string;
  readonly guarantee: Guarantee;
  readonly decide: Choice;
  /** What decides where `network: true`; undefined: the same. */
  readonly withNetwork?: Choice;
}

/** All bits of CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. NEWTIME can't be said to clone: its bit is part of the signal. */
const NEW_NAMESPACES = 0x7e020000;

const MAP_HUGETLB = 0x40000;

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_SEQPACKET = 5;
/** The rest of the type is SOCK_NONBLOCK and SOCK_CLOEXEC. */
const SOCK_TYPE_MASK = 0xf;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;

const SOL_SOCKET = 1;
/** SO_ATTACH_FILTER, SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF and _EBPF. */
const ATTACH_PROGRAM = [26, 50, 51, 52];
/** SO_SNDBUF and SO_RCVBUF. */
const BUFFER_SIZES = [7, 8];
/** TCP_ULP: TLS and the like inside the kernel. Libraries that would use it do without. */
const ATTACH_TCP_LAYER = 31;
/** UDP_ENCAP: IPsec, L2TP and GTP. */
const ATTACH_UDP_LAYER = 100;

const TCGETS = 0x5401;
const TCGETS2 = 0x802c542a;
const TIOCGPGRP = 0x540f;
const TIOCSPGRP = 0x5410;
const TIOCOUTQ = 0x5411;
const TIOCGWINSZ = 0x5413;
const FIONREAD = 0x541b;
const FIONBIO = 0x5421;
const TIOCGSID = 0x5429;
const FIONCLEX = 0x5450;
const FIOCLEX = 0x5451;
const FICLONE = 0x40049409;
const FICLONERANGE = 0x4020940d;
const descriptorRequests = [
  ...[TCGETS, TCGETS2, TIOCGPGRP, TIOCSPGRP, TIOCGSID, TIOCGWINSZ, TIOCOUTQ],
  ...[FIONREAD, FIONBIO, FIONCLEX, FIOCLEX, FICLONE, FICLONERANGE],
];

const TIOCSCTTY = 0x540e;
const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;
const TIOCCONS = 0x541d;
const TIOCSETD = 0x5423;
const terminalTakeovers = [TIOCSTI, TIOCLINUX, TIOCSCTTY, TIOCCONS, TIOCSETD];

/** SIOCATMARK and the SIOCGIF... family that names interfaces and tells their flags, addresses, MTU and index. */
const interfaceQueries = [0x8905, 0x8910, 0x8912, 0x8913, 0x8915, 0x8917, 0x8919, 0x891b, 0x8921, 0x8927, 0x8933];

const PR_SET_PDEATHSIG = 1;
const PR_GET_PDEATHSIG = 2;
const PR_GET_DUMPABLE = 3;
const PR_SET_NAME = 15;
const PR_GET_NAME = 16;
const PR_GET_SECCOMP = 21;
const PR_CAPBSET_READ = 23;
const PR_GET_SECUREBITS = 27;
const PR_SET_TIMERSLACK = 29;
const PR_GET_TIMERSLACK = 30;
const PR_SET_CHILD_SUBREAPER = 36;
const PR_GET_CHILD_SUBREAPER = 37;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_GET_NO_NEW_PRIVS = 39;
const PR_SET_THP_DISABLE = 41;
const PR_GET_THP_DISABLE = 42;
const PR_SVE_SET_VL = 50;
const PR_SVE_GET_VL = 51;
const PR_SET_TAGGED_ADDR_CTRL = 55;
const PR_GET_TAGGED_ADDR_CTRL = 56;
const PR_GET_AUXV = 0x41555856;
const PR_SET_VMA = 0x53564d41;
const harmlessOptions = [
  ...[PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_GET_SECCOMP],
  ...[PR_CAPBSET_READ, PR_GET_SECUREBITS, PR_SET_TIMERSLACK, PR_GET_TIMERSLACK],
  ...[PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS],
  ...[PR_SET_THP_DISABLE, PR_GET_THP_DISABLE, PR_SVE_SET_VL, PR_SVE_GET_VL],
  ...[PR_SET_TAGGED_ADDR_CTRL, PR_GET_TAGGED_ADDR_CTRL, PR_GET_AUXV, PR_SET_VMA],
];

const F_SETLEASE = 1024;
const F_GETLEASE = 1025;
const F_NOTIFY = 1026;
const F_SETDELEG = 1040;
const F_SETPIPE_SZ = 1031;
/** What a pipe has from the start, where the user has not too many. */
const USUAL_PIPE_BYTES = 65536;

const S_IFMT = 0xf000;
const S_IFIFO = 0x1000;
const S_IFREG = 0x8000;

const PRIO_PGRP = 1;
const SCHED_OTHER = 0;
const SCHED_BATCH = 3;
const SCHED_IDLE = 5;
const SCHED_RESET_ON_FORK = 0x40000000;
const QUERY_PERSONALITY = 0xffffffff;

/** Of 32 bits that the kernel takes for an `int`. */
const NOT_NEGATIVE = [0, 0x7fffffff] as const;
const NEGATIVE = [0x80000000, 0xffffffff] as const;

/** By level. The level of a protocol is its number. */
function socketOptionsBut(refused: Readonly<Record<number, readonly number[]>>): Choice {
  const cases = Object.entries(refused).map(([level, options]) => ({
    values: [Number(level)],
    decision: { argument: 2, cases: [{ values: options, decision: 'EPERM' }], otherwise: 'allow' } satisfies Choice,
  }));
  return { argument: 1, cases, otherwise: 'allow' };
}

export const rules: readonly Rule[] = [
  {
    call: 'clone',
    reason: 'threads and processes yes, new namespaces no',
    guarantee: 'privileges',
    decide: { argument: 0, mask: NEW_NAMESPACES, cases: [{ values: [0], decision: 'allow' }], otherwise: 'EPERM' },
  },
  {
    call: 'mmap',
    reason: "anything but the host's huge pages, which no memory limit counts",
    guarantee: 'memory',
    decide: { argument: 3, mask: MAP_HUGETLB, cases: [{ values: [0], decision: 'allow' }], otherwise: 'EPERM' },
  },
  {
    call: 'ioctl',
    reason:
      'by request: those that any descriptor answers; those that type into or take over a terminal are refused; ' +
      'all others get ENOTTY, as from a descriptor that does not know them',
    guarantee: 'filesystem',
    decide: ioctlRequests(descriptorRequests),
    withNetwork: ioctlRequests([...descriptorRequests, ...interfaceQueries]),
  },
  {
    call: 'fcntl',
    reason:
      'everything known but leases and directory notices, which on the shared read-only files would hold up ' +
      "sibling jobs or show what they open, and pipes larger than usual, which are taken from the user's other pipes",
    guarantee: 'processes',
    decide: {
      argument: 1,
      cases: [
        // F_DUPFD to F_GETSIG; F_SETOWN_EX to F_GETOWNER_UIDS; F_OFD_...; F_DUPFD_QUERY to F_SET_FILE_RW_HINT
        { values: [[0, 11], [15, 17], [36, 38], F_GETLEASE, [1027, 1030], [1032, 1038]], decision: 'allow' },
        { values: [F_SETLEASE, F_NOTIFY, F_SETDELEG], decision: 'EPERM' },
        {
          values: [F_SETPIPE_SZ],
          decision: {
            argument: 2,
            cases: [{ values: [[0, USUAL_PIPE_BYTES]], decision: 'allow' }],
            otherwise: 'EPERM',
          },
        },
      ],
      otherwise: 'EINVAL',
    },
  },
  {
    call: 'prctl',
    reason: 'by option: names, queries, and settings that touch the process itself and lower no guard',
    guarantee: 'privileges',
    decide: { argument: 0, cases: [{ values: harmlessOptions, decision: 'allow' }], otherwise: 'EPERM' },
  },
  {
    call: 'prlimit64',
    reason: 'the own process only, said as pid 0: the filter cannot know which pid is its own; negative is nobody',
    guarantee: 'processes',
    decide: { argument: 0, cases: [{ values: [0, NEGATIVE], decision: 'allow' }], otherwise: 'EPERM' },
  },
  {
    call: 'personality',
    reason: 'query only: other personalities bring back behaviour that was given up for being exploitable',
    guarantee: 'privileges',
    decide: { argument: 0, cases: [{ values: [QUERY_PERSONALITY], decision: 'allow' }], otherwise: 'EPERM' },
  },
  {
    call: 'socket',
    // Abstract UNIX addresses belong to the network namespace: with the host's, a job could connect to what listens there as
    // root does (CVE-2020-15257), or take a name before its owner does. SCTP, MPTCP, SMC and the like are sockets of IPv4
    // and IPv6 too: kernel code that is loaded for whoever asks first.
    reason: 'no socket that could have an address; with network: TCP and UDP over IPv4 and IPv6, and nothing else',
    guarantee: 'network',
    decide: { argument: 0, cases: [], otherwise: 'EPERM' },
    withNetwork: {
      argument: 0,
      cases: [{ values: [AF_INET, AF_INET6], decision: tcpAndUdp() }],
      otherwise: 'EPERM',
    },
  },
  {
    call: 'socketpair',
    // A datagram socket of a pair sends to any address that it names, and SO_PASSCRED gives it an abstract address
    // without bind: two jobs in one network namespace could so find each other, and pass descriptors, in a second.
    reason: 'UNIX pairs only, and no datagrams: those can be sent to any address without connecting',
    guarantee: 'network',
    decide: unixPairs([SOCK_STREAM, SOCK_SEQPACKET]),
  },
  {
    call: 'setsockopt',
    reason:
      'anything but attaching a program or a layer, which the kernel would run, and without network larger buffers, ' +
      "which count as nobody's memory where there is no control group",
    guarantee: 'privileges',
    decide: socketOptionsBut({ [SOL_SOCKET]: [...ATTACH_PROGRAM, ...BUFFER_SIZES] }),
    withNetwork: socketOptionsBut({
      [SOL_SOCKET]: ATTACH_PROGRAM,
      [IPPROTO_TCP]: [ATTACH_TCP_LAYER],
      [IPPROTO_UDP]: [ATTACH_UDP_LAYER],
    }),
  },
  { call: 'mknod', reason: 'pipes and plain files, no devices', guarantee: 'filesystem', decide: plainNodes(1) },
  { call: 'mknodat', reason: 'pipes and plain files, no devices', guarantee: 'filesystem', decide: plainNodes(2) },
  {
    call: 'setpriority',
    reason: "processes and groups may step back (os.nice(1)), never forward, and never a whole user's",
    guarantee: 'cpu',
    decide: {
      argument: 0,
      cases: [
        {
          values: [[0, PRIO_PGRP]],
          decision: { argument: 2, cases: [{ values: [NOT_NEGATIVE], decision: 'allow' }], otherwise: 'EPERM' },
        },
      ],
      otherwise: 'EPERM',
    },
  },
  {
    call: 'sched_setscheduler',
    reason: 'ordinary, batch and idle scheduling, nothing that runs ahead of others',
    guarantee: 'cpu',
    decide: {
      argument: 1,
      mask: ~SCHED_RESET_ON_FORK >>> 0,
      cases: [{ values: [SCHED_OTHER, SCHED_BATCH, SCHED_IDLE], decision: 'allow' }],
      otherwise: 'EPERM',
    },
  },
];

function ioctlRequests(allowed: readonly number[]): Choice {
  return {
    argument: 1,
    cases: [
      { values: allowed, decision: 'allow' },
      { values: terminalTakeovers, decision: 'EPERM' },
    ],
    otherwise: 'ENOTTY',
  };
}

function tcpAndUdp(): Choice {
  const protocol = (number: number): Choice => ({
    argument: 2,
    cases: [{ values: [0, number], decision: 'allow' }],
    otherwise: 'EPERM',
  });
  return {
    argument: 1,
    mask: SOCK_TYPE_MASK,
    cases: [
      { values: [SOCK_STREAM], decision: protocol(IPPROTO_TCP) },
      { values: [SOCK_DGRAM], decision: protocol(IPPROTO_UDP) },
    ],
    otherwise: 'EPERM',
  };
}

function unixPairs(types: Choice['cases'][number]['values']): Choice {
  return {
    argument: 0,
    cases: [
      {
        values: [AF_UNIX],
        decision: {
          argument: 1,
          mask: SOCK_TYPE_MASK,
          cases: [{ values: types, decision: 'allow' }],
          otherwise: 'EPERM',
        },
      },
    ],
    otherwise: 'EPERM',
  };
}

function plainNodes(argument: 1 | 2): Choice {
  return {
    argument,
    mask: S_IFMT,
    cases: [{ values: [0, S_IFIFO, S_IFREG], decision: 'allow' }],
    otherwise: 'EPERM',
  };
}
