import { SandboxError } from '../errors.js';
import type { Guarantee } from '../isolation.js';
import type { Decision, Ruling } from './decision.js';
import { type Group, groups } from './groups.js';
import { type Rule, rules } from './rules.js';
import { allSyscalls, isSyscall, type Syscall } from './syscalls.js';

/** What a job may ask of the kernel: a decision and its reason for every call of the table, the same on all architectures. */
export type Policy = ReadonlyMap<Syscall, PolicyEntry>;

export interface PolicyEntry {
  readonly decision: Decision;
  readonly reason: string;
}

export interface PolicyOptions {
  /** True opens TCP and UDP sockets, to the host's network. */
  readonly network: boolean;
  /** Calls to let through on top of the defaults, whatever their arguments. */
  readonly allow: readonly Syscall[];
  /** Calls to refuse with EPERM although the defaults let them through. */
  readonly deny: readonly Syscall[];
}

/** Without these a job can neither be sealed, nor run, nor end. */
const indispensable: ReadonlySet<Syscall> = new Set([
  'read',
  'write',
  'sendto',
  'sendmsg',
  'close',
  'close_range',
  'mmap',
  'munmap',
  'mprotect',
  'brk',
  'futex',
  'getpid',
  'gettid',
  'prlimit64',
  'rt_sigaction',
  'rt_sigprocmask',
  'rt_sigreturn',
  'restart_syscall',
  'exit',
  'exit_group',
]);

/**
 * The default policy with the caller's changes.
 *
 * Throws SandboxError 'invalid-option' for a name that is no system call, for one that is both allowed and denied, for
 * an `allow` that would break a guarantee, and for a `deny` that would keep every job from running.
 */
export function buildPolicy({ network, allow, deny }: PolicyOptions): Policy {
  const policy = defaultPolicy(network);
  for (const call of allow) {
    assertSyscall('syscalls.allow', call);
    assertMayOpen(call, network);
    policy.set(call, { decision: 'allow', reason: 'opened by the caller (syscalls.allow)' });
  }
  for (const call of deny) {
    assertSyscall('syscalls.deny', call);
    assertMayDeny(call, allow);
    if (opens(policy.get(call)?.decision)) {
      policy.set(call, { decision: 'EPERM', reason: 'denied by the caller (syscalls.deny)' });
    }
  }
  return policy;
}

function defaultPolicy(network: boolean): Map<Syscall, PolicyEntry> {
  const policy = new Map<Syscall, PolicyEntry>();
  for (const group of groups) {
    const decision = isOpen(group, network) ? 'allow' : group.ruling;
    for (const call of group.calls) policy.set(call, { decision, reason: group.reason });
  }
  for (const { call, reason, decide, withNetwork } of rules) {
    policy.set(call, { decision: (network ? withNetwork : undefined) ?? decide, reason });
  }
  return policy;
}

function isOpen(group: Group, network: boolean): boolean {
  return group.ruling === 'allow' || (network && group.openWithNetwork === true);
}

function opens(decision: Decision | undefined): boolean {
  return decision === 'allow' || typeof decision === 'object';
}

function assertSyscall(option: string, call: unknown): void {
  if (isSyscall(call)) return;
  throw new SandboxError(
    'invalid-option',
    `${option}: ${JSON.stringify(call) ?? String(call)} is not a Linux system call known here. ` +
      "Use the kernel's names, such as 'statx' or 'memfd_create'",
  );
}

function assertMayOpen(call: Syscall, network: boolean): void {
  const rule = rules.find((rule) => rule.call === call);
  if (rule) throw brokenGuarantee(rule, 'is let through for harmless arguments already, and opening the rest');
  const group = groups.find((group) => group.calls.includes(call));
  if (!group || isOpen(group, network) || !group.guarantee) return;
  throw brokenGuarantee({ call, reason: group.reason, guarantee: group.guarantee }, 'is refused, and opening it');
}

function brokenGuarantee(
  { call, reason, guarantee }: Pick<Rule, 'call' | 'reason' | 'guarantee'>,
  what: string,
): SandboxError {
  return new SandboxError(
    'invalid-option',
    `syscalls.allow: '${call}' ${what} would break the guarantee '${guarantee}' (${reason}). ${remedies[guarantee] ?? 'Leave it out'}`,
  );
}

const remedies: Partial<Record<Guarantee, string>> = {
  network: 'Leave it out, or set `network: true` and do without that guarantee',
};

function assertMayDeny(call: Syscall, allow: readonly Syscall[]): void {
  if (indispensable.has(call)) {
    throw new SandboxError(
      'invalid-option',
      `syscalls.deny: '${call}' can't be denied: without it no program starts, runs or ends. Leave it out`,
    );
  }
  if (allow.includes(call)) {
    throw new SandboxError(
      'invalid-option',
      `syscalls.deny: '${call}' is in syscalls.allow too. Leave it in one of the two lists`,
    );
  }
}

/** One line of the policy for people: what becomes of the call, and why. */
export interface Description {
  readonly call: Syscall;
  readonly ruling: Ruling | 'by argument';
  readonly reason: string;
}

/** The whole policy in the order of the x64 numbers, for documents and tests. */
export function describePolicy(policy: Policy): Description[] {
  return allSyscalls.flatMap((call) => {
    const entry = policy.get(call);
    if (!entry) return [];
    const ruling = typeof entry.decision === 'string' ? entry.decision : 'by argument';
    return [{ call, ruling, reason: entry.reason }];
  });
}
