import { describe, expect, it } from 'vitest';
import { SandboxError } from '../../src/errors.js';
import { groups } from '../../src/policy/groups.js';
import { buildPolicy, describePolicy, type PolicyOptions } from '../../src/policy/policy.js';
import { rules } from '../../src/policy/rules.js';
import { allSyscalls, type Syscall } from '../../src/policy/syscalls.js';
import { decide, edges } from './oracle.js';

const nothing = [0n, 0n, 0n, 0n, 0n, 0n];

function build(options: Partial<PolicyOptions> = {}) {
  return buildPolicy({ network: false, allow: [], deny: [], ...options });
}

function refusal(options: Partial<PolicyOptions>): SandboxError {
  try {
    build(options);
  } catch (error) {
    if (error instanceof SandboxError) return error;
    throw error;
  }
  throw new Error('The policy was built');
}

/** Judges a call by some of its arguments, from the first; the others are 0. */
function ask(call: Syscall, args: readonly (number | bigint)[] = [], options: Partial<PolicyOptions> = {}) {
  return decide(build(options), call, Object.assign([...nothing], args.map(BigInt)));
}

describe('the default policy', () => {
  it('says of each call of the table, once, what becomes of it and why', () => {
    const mentioned = [...groups.flatMap(({ calls }) => calls), ...rules.map(({ call }) => call)];
    expect(mentioned.toSorted()).toEqual(allSyscalls.toSorted());
    expect(describePolicy(build()).map(({ call }) => call)).toEqual(allSyscalls);
    for (const { reason } of describePolicy(build())) expect(reason.length).toBeGreaterThan(20);
  });

  it('never kills for what is in the table, and names no value twice within a choice', () => {
    for (const [call, { decision }] of build({ network: true })) {
      for (const args of edges(decision)) expect(decide(build(), call, args)).not.toBe('kill');
      if (typeof decision === 'string') continue;
      const spans = decision.cases.flatMap(({ values }) => values).map((span) => [span].flat() as number[]);
      spans.sort(([a = 0], [b = 0]) => a - b);
      const overlapping = spans.filter((span, index) => index > 0 && (spans[index - 1]?.at(-1) ?? 0) >= (span[0] ?? 0));
      expect(overlapping, call).toEqual([]);
    }
  });

  it('lets through what traced programs in CPython, Node and a JVM called', () => {
    const seen = [
      'access arch_prctl brk capget chdir clock_getres clock_nanosleep clone close close_range dup dup2 epoll_create1 epoll_ctl',
      'epoll_pwait epoll_wait eventfd2 execve exit exit_group faccessat2 fchdir fchown fcntl fdatasync flock fstat ftruncate',
      'futex getcwd getdents64 getegid geteuid getgid getpgrp getpid getppid getrandom getrusage getsockname gettid getuid',
      'ioctl link lseek madvise mbind mkdir mmap mprotect munmap newfstatat openat pipe2 pkey_alloc poll prctl pread64',
      'prlimit64 pwrite64 read readlink rename rseq rt_sigaction rt_sigprocmask rt_sigreturn sched_getaffinity sched_yield',
      'set_robust_list set_tid_address setsockopt shutdown socketpair statx sysinfo uname unlink vfork wait4 write',
    ];
    const fates = new Map(describePolicy(build()).map(({ call, ruling }) => [call as string, ruling]));
    const refused = seen
      .join(' ')
      .split(' ')
      .filter((call) => !['allow', 'by argument'].includes(fates.get(call) ?? ''));
    expect(refused).toEqual([]);
  });

  it.each<[what: string, call: Syscall, args: readonly (number | bigint)[], ruling: string]>([
    ['a thread', 'clone', [0x3d0f00], 'allow'],
    ['a new user namespace', 'clone', [0x10000011], 'EPERM'],
    ['a new control group namespace', 'clone', [0x02000011], 'EPERM'],
    ['a new mount namespace', 'clone', [0x00020011], 'EPERM'],
    ['clone3', 'clone3', [], 'ENOSYS, untold'],
    ['a file without a file system', 'memfd_create', [], 'ENOSYS'],
    ['plain memory', 'mmap', [0, 4096, 3, 0x22], 'allow'],
    ['huge pages', 'mmap', [0, 4096, 3, 0x40022], 'EPERM'],
    ['asking for a terminal', 'ioctl', [0, 0x5401], 'allow'],
    ['typing into a terminal', 'ioctl', [0, 0x5412], 'EPERM'],
    ['typing into a terminal, with high bits set', 'ioctl', [0, 0xdead_0000_5412n], 'EPERM'],
    ['TIOCLINUX, with high bits set', 'ioctl', [0, 0x1_0000_541cn], 'EPERM'],
    ['an unknown request', 'ioctl', [0, 0xb702], 'ENOTTY'],
    ['copying a descriptor', 'fcntl', [0, 1030], 'allow'],
    ['a lease', 'fcntl', [0, 1024], 'EPERM'],
    ['a directory notice', 'fcntl', [0, 1026], 'EPERM'],
    ['an unknown fcntl', 'fcntl', [0, 12], 'EINVAL'],
    ['PR_SET_NAME', 'prctl', [15], 'allow'],
    ['PR_SET_DUMPABLE', 'prctl', [4], 'EPERM'],
    ['PR_SET_SECCOMP', 'prctl', [22], 'EPERM'],
    ['PR_SET_MM', 'prctl', [35], 'EPERM'],
    ['an unknown option', 'prctl', [9999], 'EPERM'],
    ['own limits', 'prlimit64', [0, 7], 'allow'],
    ["nobody's limits", 'prlimit64', [0xffffffff, 7], 'allow'],
    ["another's limits", 'prlimit64', [1, 7], 'EPERM'],
    ['which personality', 'personality', [0xffffffff], 'allow'],
    ['another personality', 'personality', [0x0040000], 'EPERM'],
    ['a UNIX socket', 'socket', [1, 1], 'EPERM'],
    ['an IPv4 socket', 'socket', [2, 1], 'EPERM'],
    ['netlink', 'socket', [16, 3], 'EPERM'],
    ['a UNIX pair', 'socketpair', [1, 0o2004001], 'allow'],
    ['a pair of datagram sockets', 'socketpair', [1, 0o2000002], 'EPERM'],
    ['an IPv4 pair', 'socketpair', [2, 1], 'EPERM'],
    ['credentials of a peer', 'setsockopt', [0, 1, 16], 'allow'],
    ['a larger send buffer', 'setsockopt', [0, 1, 7], 'EPERM'],
    ['number 7 of another level', 'setsockopt', [0, 6, 7], 'allow'],
    ['a pipe as large as usual', 'fcntl', [0, 1031, 65536], 'allow'],
    ['a larger pipe', 'fcntl', [0, 1031, 65537], 'EPERM'],
    ['the size of a pipe', 'fcntl', [0, 1032], 'allow'],
    ['a socket filter', 'setsockopt', [0, 1, 26], 'EPERM'],
    ['number 26 of another level', 'setsockopt', [0, 6, 26], 'allow'],
    ['a named pipe', 'mknodat', [0, 0, 0o10644], 'allow'],
    ['an attribute', 'fsetxattr', [], 'EOPNOTSUPP'],
    ['a device', 'mknodat', [0, 0, 0o20644], 'EPERM'],
    ['stepping back', 'setpriority', [0, 0, 1], 'allow'],
    ['stepping forward', 'setpriority', [0, 0, 0xffffffff], 'EPERM'],
    ["a whole user's priority", 'setpriority', [2, 0, 19], 'EPERM'],
    ['idle scheduling', 'sched_setscheduler', [0, 0x40000005], 'allow'],
    ['real-time scheduling', 'sched_setscheduler', [0, 1], 'EPERM'],
  ])('decides about %s (%s)', (_, call, args, ruling) => {
    expect(ask(call, args)).toBe(ruling);
  });

  it.each<[string, readonly number[], string]>([
    ['TCP over IPv4', [2, 1, 6], 'allow'],
    ['TCP over IPv6, as most ask for it', [10, 0o2004001, 0], 'allow'],
    ['UDP over IPv4', [2, 2, 17], 'allow'],
    ['UDP over IPv6, as most ask for it', [10, 0o2000002, 0], 'allow'],
    ['a UNIX stream', [1, 1, 0], 'EPERM'],
    ['UNIX datagrams', [1, 2, 0], 'EPERM'],
    ['netlink', [16, 3, 0], 'EPERM'],
    ['netlink of that type', [16, 2, 0], 'EPERM'],
    ['packets', [17, 3, 0x300], 'EPERM'],
    ['the crypto interface', [38, 5, 0], 'EPERM'],
    ['the hypervisor', [40, 1, 0], 'EPERM'],
    ['raw IPv4', [2, 3, 1], 'EPERM'],
    ['raw TCP', [2, 3, 6], 'EPERM'],
    ['ping', [2, 2, 1], 'EPERM'],
    ['SCTP', [2, 5, 132], 'EPERM'],
    ['SCTP as a stream', [10, 1, 132], 'EPERM'],
    ['MPTCP', [2, 1, 262], 'EPERM'],
    ['SMC', [2, 1, 256], 'EPERM'],
    ['DCCP', [2, 6, 33], 'EPERM'],
    ['UDP-Lite', [2, 2, 136], 'EPERM'],
    ['L2TP', [2, 2, 115], 'EPERM'],
  ])('decides about a socket with network: %s', (_, args, ruling) => {
    expect(ask('socket', args, { network: true })).toBe(ruling);
    expect(ask('socket', args)).toBe('EPERM');
  });

  it.each<[string, readonly number[], string]>([
    ['an option of TCP', [3, 6, 1], 'allow'],
    ['larger buffers', [3, 1, 8], 'allow'],
    ['a filter', [3, 1, 26], 'EPERM'],
    ['TLS in the kernel', [3, 6, 31], 'EPERM'],
    ['IPsec in UDP', [3, 17, 100], 'EPERM'],
    ['the same number of another level', [3, 1, 31], 'allow'],
  ])('decides about %s with network (setsockopt)', (_, args, ruling) => {
    expect(ask('setsockopt', args, { network: true })).toBe(ruling);
  });

  it('opens five calls with network, and still no UNIX datagrams', () => {
    const network = true;
    expect(ask('socketpair', [1, 1], { network })).toBe('allow');
    expect(ask('socketpair', [1, 2], { network })).toBe('EPERM');
    const withNetwork = new Map(describePolicy(build({ network })).map(({ call, ruling }) => [call, ruling]));
    const changed = describePolicy(build()).filter(({ call, ruling }) => withNetwork.get(call) !== ruling);
    expect(changed.map(({ call }) => call).toSorted()).toEqual(['accept', 'accept4', 'bind', 'connect', 'listen']);
  });
});

describe('syscalls.allow', () => {
  it('opens a call on top of the defaults and leaves all others as they were', () => {
    const opened = describePolicy(build({ allow: ['memfd_create', 'read'] }));
    const changed = opened.filter(({ ruling }, index) => ruling !== describePolicy(build())[index]?.ruling);
    expect(changed.map(({ call, ruling }) => [call, ruling])).toEqual([['memfd_create', 'allow']]);
  });

  it('refuses what would break a guarantee, and says which', () => {
    const closed = groups.filter(({ ruling, guarantee }) => ruling !== 'allow' && guarantee);
    for (const { calls, guarantee } of closed) {
      for (const call of calls) {
        const { code, message } = refusal({ allow: [call] });
        expect(code).toBe('invalid-option');
        expect(message).toContain(`syscalls.allow: '${call}' `);
        expect(message).toContain(`the guarantee '${guarantee}'`);
      }
    }
    expect(closed.length).toBeGreaterThan(10);
  });

  it('refuses to open the rest of a call that is open for harmless arguments', () => {
    for (const { call, guarantee } of rules) {
      expect(refusal({ allow: [call] }).message).toMatch(new RegExp(`'${call}'.*harmless arguments.*'${guarantee}'`));
    }
  });

  it('takes a socket call where the network is on, and else names the way', () => {
    expect(ask('connect', [], { network: true, allow: ['connect'] })).toBe('allow');
    expect(refusal({ allow: ['connect'] }).message).toContain('set `network: true`');
  });

  it.each(['ptraec', 'constructor', '__proto__', '', 'READ'])('refuses the unknown name %j', (name) => {
    const { code, message } = refusal({ allow: [name as Syscall] });
    expect(code).toBe('invalid-option');
    expect(message).toContain(`syscalls.allow: ${JSON.stringify(name)} is not a Linux system call`);
  });
});

describe('syscalls.deny', () => {
  it('refuses a call whatever its arguments', () => {
    const policy = build({ deny: ['execve', 'ioctl'] });
    expect(decide(policy, 'execve', nothing)).toBe('EPERM');
    for (const args of edges(build().get('ioctl')?.decision ?? 'allow')) {
      expect(decide(policy, 'ioctl', args)).toBe('EPERM');
    }
  });

  it('leaves a call that is refused anyway as it is: clone3 must stay ENOSYS for C libraries to fall back', () => {
    expect(build({ deny: ['clone3', 'ptrace'] })).toEqual(build());
  });

  it.each(['read', 'write', 'mmap', 'close_range', 'exit_group', 'rt_sigreturn'] as const)(
    'refuses to deny %s',
    (call) => {
      const { code, message } = refusal({ deny: [call] });
      expect(code).toBe('invalid-option');
      expect(message).toContain(`syscalls.deny: '${call}' can't be denied`);
    },
  );

  it('refuses a name that is allowed too, and one that is no call', () => {
    expect(refusal({ allow: ['sync'], deny: ['sync'] }).message).toContain("'sync' is in syscalls.allow too");
    expect(refusal({ deny: ['nope' as Syscall] }).message).toContain(
      'syscalls.deny: "nope" is not a Linux system call',
    );
  });
});
