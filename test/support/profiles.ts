import { writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { type Arch, type Syscall, syscallNumber } from '../../src/policy/syscalls.js';
import { packageRoot } from './tree.js';

/** What a container or a service manager takes away from a process before it starts. */
export interface Profile {
  /** The capabilities that root keeps; undefined: all that it has. Another user has none anyway. */
  readonly capabilities?: readonly string[];
  /** System calls that fail, each with its errno. */
  readonly refused: Readonly<Partial<Record<Syscall, keyof typeof constants.errno>>>;
  /** With any of these flags `clone` fails, with EPERM. */
  readonly refusedCloneFlags?: number;
}

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const NAMESPACE_FLAGS = 0x7e020000;

const DOCKER_CAPABILITIES = [
  ...['audit_write', 'chown', 'dac_override', 'fowner', 'fsetid', 'kill', 'mknod', 'net_bind_service'],
  ...['net_raw', 'setfcap', 'setgid', 'setpcap', 'setuid', 'sys_chroot'],
];

/** What Docker's default filter, which is an allowlist, refuses to everybody with these capabilities, or also with SYS_ADMIN. */
const DOCKER_ALWAYS: readonly Syscall[] = [
  ...(['add_key', 'keyctl', 'request_key', 'userfaultfd', 'kcmp', 'process_madvise', 'pidfd_getfd'] as const),
  ...(['io_uring_setup', 'io_uring_enter', 'io_uring_register', 'open_by_handle_at', 'pivot_root'] as const),
];
const DOCKER_WITHOUT_ADMIN: readonly Syscall[] = [
  ...([
    'unshare',
    'setns',
    'mount',
    'umount2',
    'sethostname',
    'setdomainname',
    'fsopen',
    'fsconfig',
    'fsmount',
  ] as const),
  ...(['fspick', 'open_tree', 'move_mount', 'mount_setattr', 'bpf', 'perf_event_open', 'fanotify_init'] as const),
  ...(['quotactl', 'syslog', 'lookup_dcookie'] as const),
];

/** `docker run`. `clone3` is told as unknown, since a filter can't see its flags. */
export const DOCKER: Profile = {
  capabilities: DOCKER_CAPABILITIES,
  refused: { ...refuseAll([...DOCKER_ALWAYS, ...DOCKER_WITHOUT_ADMIN]), clone3: 'ENOSYS' },
  refusedCloneFlags: NAMESPACE_FLAGS,
};

/** `docker run --cap-add SYS_ADMIN` */
export const DOCKER_WITH_ADMIN: Profile = {
  capabilities: [...DOCKER_CAPABILITIES, 'sys_admin'],
  refused: refuseAll(DOCKER_ALWAYS),
};

/** `docker run --security-opt seccomp=unconfined` */
export const DOCKER_UNFILTERED: Profile = { capabilities: DOCKER_CAPABILITIES, refused: {} };

/** The two before together. */
export const DOCKER_UNFILTERED_WITH_ADMIN: Profile = { ...DOCKER_WITH_ADMIN, refused: {} };

/** What has to be added to Docker's filter, as docs/deployment.md has it: all calls, and the flags of `clone`. */
export const ADDED_CALLS: readonly Syscall[] = [
  ...([
    'unshare',
    'mount',
    'umount2',
    'pivot_root',
    'sethostname',
    'open_tree',
    'mount_setattr',
    'move_mount',
  ] as const),
  ...(['fsopen', 'fsconfig', 'fsmount'] as const),
];
export const DOCKER_WITH_OWN_FILTER: Profile = {
  capabilities: DOCKER_CAPABILITIES,
  refused: Object.fromEntries(
    Object.entries(DOCKER.refused).filter(([call]) => !ADDED_CALLS.includes(call as Syscall)),
  ),
};

/** The command that starts, under that profile, the command which is put behind it. `directory` is for its filter. */
export function underProfile(profile: Profile, directory: string): string[] {
  const file = join(directory, 'profile');
  writeFileSync(file, filterOf(profile, process.arch as Arch), { mode: 0o644 });
  const filtered = ['/usr/bin/python3', join(packageRoot, 'test/fixtures/under_filter.py'), file];
  if (!profile.capabilities || process.getuid?.() !== 0) return filtered;
  const bounding = ['-all', ...profile.capabilities.map((capability) => `+${capability}`)].join();
  return ['setpriv', '--inh-caps=-all', `--bounding-set=${bounding}`, ...filtered];
}

const LOAD = 0x20;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_ANY_BIT = 0x45;
const RETURN = 0x06;
const NUMBER_OFFSET = 0;
const FIRST_ARGUMENT_OFFSET = 16;
const RET_ALLOW = 0x7fff0000;
const RET_ERRNO = 0x00050000;

/** A denylist in classic BPF. It knows one architecture and looks for no other: programs of tests are all native. */
function filterOf({ refused, refusedCloneFlags = 0 }: Profile, arch: Arch): Buffer {
  const returnErrno = (name: keyof typeof constants.errno) =>
    [RETURN, 0, 0, RET_ERRNO | constants.errno[name]] as const;
  const instructions: (readonly [number, number, number, number])[] = [[LOAD, 0, 0, NUMBER_OFFSET]];
  for (const [call, errno] of Object.entries(refused) as [Syscall, keyof typeof constants.errno][]) {
    const number = syscallNumber(call, arch);
    if (number !== null) instructions.push([JUMP_IF_EQUAL, 0, 1, number], returnErrno(errno));
  }
  instructions.push(
    [JUMP_IF_EQUAL, 0, 3, syscallNumber('clone', arch) as number],
    [LOAD, 0, 0, FIRST_ARGUMENT_OFFSET],
    [JUMP_IF_ANY_BIT, 0, 1, refusedCloneFlags],
    returnErrno('EPERM'),
    [RETURN, 0, 0, RET_ALLOW],
  );
  const bytes = Buffer.alloc(instructions.length * 8);
  for (const [index, [code, ifTrue, ifFalse, value]] of instructions.entries()) {
    const at = index * 8;
    bytes.writeUInt16LE(code, at);
    bytes.writeUInt8(ifTrue, at + 2);
    bytes.writeUInt8(ifFalse, at + 3);
    bytes.writeUInt32LE(value, at + 4);
  }
  return bytes;
}

function refuseAll(calls: readonly Syscall[]): Profile['refused'] {
  return Object.fromEntries(calls.map((call) => [call, 'EPERM']));
}
