import { errnoName, isExhaustion } from './errno.js';
import { SandboxError, type SandboxErrorCode } from './errors.js';
import { type Failure, type Readiness, type ResourceKeeper, Stage } from './protocol.js';

/** A promise to the caller, whatever mechanism keeps it. */
export type Guarantee = (typeof GUARANTEES)[number];
export const GUARANTEES = ['filesystem', 'network', 'processes', 'privileges', 'syscalls', 'memory', 'cpu'] as const;

/** What a sandbox asks for by default: it does not start without. */
export const REQUIRED_BY_DEFAULT: readonly Guarantee[] = Object.freeze<Guarantee[]>([
  'filesystem',
  'network',
  'processes',
  'privileges',
  'syscalls',
]);

/** The same where the caller gave one of them up. */
export const REQUIRED_WITH_NETWORK = Object.freeze(REQUIRED_BY_DEFAULT.filter((guarantee) => guarantee !== 'network'));

export interface GuaranteeState {
  /** 'partial': kept against accidents and most attacks, but not all; `remedy` says what would make it 'enforced'. */
  state: 'enforced' | 'partial' | 'absent';
  /** The mechanisms in use, best first. */
  by: string[];
  remedy?: string;
}

/** What is promised on this machine, and by which mechanisms. */
export interface IsolationReport {
  guarantees: Record<Guarantee, GuaranteeState>;
}

export function copyReport(report: IsolationReport): IsolationReport {
  const entries = GUARANTEES.map((guarantee) => {
    const state = report.guarantees[guarantee];
    return [guarantee, { ...state, by: [...state.by] }];
  });
  return { guarantees: Object.fromEntries(entries) as Record<Guarantee, GuaranteeState> };
}

/** Landlock keeps jobs from signalling and reaching abstract sockets outside from this version of its interface on. */
const LANDLOCK_SCOPES_ABI = 6;

const NETWORK_REMEDY =
  "not kept because `network: true` asked for the host's network: leave that option out, and jobs have none";

const CGROUP_REMEDY =
  'give this process control groups that it may write to: run it as root, ' +
  'or as a systemd unit with `Delegate=yes` and `DelegateSubgroup=main` (systemd 254 or newer)';

const UNTOLD_REMEDY =
  'refused calls are refused, but `denials` stays empty, since something outside has a seccomp listener on this process ' +
  '(a container runtime with a seccomp agent): run without that one to have them told';

/** `network`: whether the caller asked for the host's. */
export function reportReadiness(readiness: Readiness, network: boolean): IsolationReport {
  const { landlockAbi, ownUid, denialsTold } = readiness;
  const landlock = landlockAbi > 0 ? [`Landlock ABI ${landlockAbi}`] : [];
  const scopes = landlockAbi >= LANDLOCK_SCOPES_ABI ? ['Landlock scopes'] : [];
  return {
    guarantees: {
      filesystem: enforced('mount namespace', 'pivot_root', ...landlock),
      network: network ? { state: 'absent', by: [], remedy: NETWORK_REMEDY } : enforced('network namespace', 'seccomp'),
      processes: enforced('pid namespace', ...scopes, ...(ownUid ? ['own uid'] : [])),
      privileges: enforced('user namespace', 'no capabilities', 'no_new_privs', 'seccomp'),
      syscalls: denialsTold
        ? enforced('seccomp', 'user notification')
        : { ...enforced('seccomp'), remedy: UNTOLD_REMEDY },
      memory: kept(readiness.memoryBy, ['watchdog'], 'what allocates quickly can pass the limit between two looks'),
      cpu: kept(readiness.cpuBy, ['watchdog', 'rlimit'], 'children that nobody waits for are not all counted'),
    },
  };
}

/** Where the sandbox can't start: what is missing, and why. The other guarantees are absent too, since nothing runs. */
export function reportFailure(failure: Failure): IsolationReport {
  const guilty = guaranteeOf(failure);
  const notReached = `not reached, since ${guilty} failed`;
  return allAbsent((guarantee) =>
    guarantee === guilty ? `${failureText(failure)}: ${remedyOf(failure)}` : notReached,
  );
}

/** Of a run that was aborted before anything was started: there was nothing to confine. */
export function reportNothingStarted(): IsolationReport {
  return allAbsent(() => 'nothing was started');
}

/** Throws SandboxError 'isolation-unavailable' unless every guarantee asked for is enforced. */
export function assertGuarantees(report: IsolationReport, required: readonly Guarantee[]): void {
  for (const guarantee of required) {
    const { state, by, remedy } = report.guarantees[guarantee];
    if (state === 'enforced') continue;
    throw new SandboxError(
      'isolation-unavailable',
      `The guarantee '${guarantee}' is required, but only ${state}${by.length > 0 ? ` (by ${by.join(', ')})` : ''}` +
        `${remedy ? `: ${remedy}` : ''}; or leave it out of the option 'require'`,
    );
  }
}

/** A failure of the supervisor as an error, which keeps the failure for a report. */
export class FailureError extends SandboxError {
  readonly failure: Failure;

  constructor(failure: Failure) {
    const code = codeOf(failure);
    super(code, messageOf(code, failure));
    this.failure = failure;
  }
}

function codeOf({ stage, errno, stepName }: Failure): SandboxErrorCode {
  // The kernel answers ENOSPC where namespaces are switched off by a maximum of 0: nothing that waiting could heal.
  const isSwitchedOff = stage === Stage.ROOT && errnoName(errno) === 'ENOSPC';
  if (stepName === EXEC_STEP) return 'spawn-failed';
  if (stage === Stage.RESOURCES || (isExhaustion(errno) && !isSwitchedOff)) return 'resources-exhausted';
  return stage === Stage.SUPERVISOR || stage === Stage.ZYGOTE ? 'spawn-failed' : 'isolation-unavailable';
}

function messageOf(code: SandboxErrorCode, failure: Failure): string {
  const text = failureText(failure);
  if (code === 'resources-exhausted') {
    const counted = failure.stepName.endsWith('-namespace') ? ', raise the number of namespaces (`sysctl user`)' : '';
    return `${text}: free some memory, processes or descriptors (\`ulimit -n\`, \`ulimit -u\`)${counted}, or use fewer sandboxes`;
  }
  if (failure.stepName === INTERPRETER_STEP) return `The interpreter did not get ready: ${whatItSaid(failure)}`;
  if (failure.stepName === EXEC_STEP) return `The interpreter can't be executed: ${text}. ${EXEC_REMEDY}`;
  if (code === 'spawn-failed') return `The interpreter could not be started: ${text}`;
  return `The guarantee '${guaranteeOf(failure)}' can't be kept on this machine: ${text}. Remedy: ${remedyOf(failure)}`;
}

/** The interpreter ended by itself: its own words say why, and an errno would say nothing. */
const INTERPRETER_STEP = 'interpreter';

const EXEC_STEP = 'exec';
const EXEC_REMEDY =
  'It and its libraries must be readable for users other than their owner (`chmod -R o+rX`): jobs of root are not root';

function whatItSaid({ detail }: Failure): string {
  return detail.trim() === '' ? 'it ended without a word' : detail.trim();
}

function failureText({ stepName, step, errno, detail }: Failure): string {
  const what = stepName === '' ? `step ${step}` : stepName;
  const why = errno === 0 ? '' : `: ${errnoName(errno)}`;
  return `${what} failed${why}${detail === '' ? '' : ` (${detail.trim()})`}`;
}

interface StepFacts {
  readonly guarantee: Guarantee;
  readonly remedy: string;
}

const CONTAINER_REMEDY =
  'in a container of Docker `--security-opt seccomp=unconfined`, ' +
  'and where AppArmor denies mount `--security-opt apparmor=unconfined` too';
const USER_NAMESPACE_REMEDY =
  'allow unprivileged user namespaces (`sysctl user.max_user_namespaces` above 0, ' +
  '`kernel.unprivileged_userns_clone=1` on Debian, `kernel.apparmor_restrict_unprivileged_userns=0` on Ubuntu; ' +
  `${CONTAINER_REMEDY}), or run as root with CAP_SYS_ADMIN`;
const MOUNT_REMEDY = `allow mounting in a user namespace (${CONTAINER_REMEDY})`;
const PROC_REMEDY =
  'allow a new /proc: the kernel does only where nothing covers a part of the present one ' +
  '(in a container of Docker `--security-opt systempaths=unconfined`), and a filter has to let fsopen, fsconfig and fsmount through';
const KERNEL_REMEDY =
  'use a kernel with CONFIG_SECCOMP_FILTER, and a container profile that lets programs install filters (Docker does)';
const LANDLOCK_REMEDY =
  'allow all of its three calls in the profile of the container, or none: then the private root stands alone';
const VIEW_REMEDY =
  'make sure that this user can reach that path, and that it can be shown there; ' +
  `where both are so, use Linux 5.12 or newer, and ${MOUNT_REMEDY}`;

/** Which promise each step of enter and seal serves, and what to do where the kernel refuses it. */
const STEPS: Readonly<Record<string, StepFacts>> = {
  'user-namespace': { guarantee: 'privileges', remedy: USER_NAMESPACE_REMEDY },
  'id-map': { guarantee: 'privileges', remedy: USER_NAMESPACE_REMEDY },
  ids: { guarantee: 'privileges', remedy: USER_NAMESPACE_REMEDY },
  capabilities: { guarantee: 'privileges', remedy: USER_NAMESPACE_REMEDY },
  'no-new-privs': { guarantee: 'privileges', remedy: KERNEL_REMEDY },
  'mount-namespace': { guarantee: 'filesystem', remedy: MOUNT_REMEDY },
  'private-root': { guarantee: 'filesystem', remedy: MOUNT_REMEDY },
  'pivot-root': { guarantee: 'filesystem', remedy: MOUNT_REMEDY },
  scratch: { guarantee: 'filesystem', remedy: MOUNT_REMEDY },
  landlock: { guarantee: 'filesystem', remedy: LANDLOCK_REMEDY },
  view: { guarantee: 'filesystem', remedy: VIEW_REMEDY },
  'network-namespace': { guarantee: 'network', remedy: USER_NAMESPACE_REMEDY },
  'uts-namespace': { guarantee: 'processes', remedy: USER_NAMESPACE_REMEDY },
  'ipc-namespace': { guarantee: 'processes', remedy: USER_NAMESPACE_REMEDY },
  'cgroup-namespace': { guarantee: 'processes', remedy: USER_NAMESPACE_REMEDY },
  'pid-namespace': { guarantee: 'processes', remedy: USER_NAMESPACE_REMEDY },
  proc: { guarantee: 'processes', remedy: PROC_REMEDY },
  rlimits: { guarantee: 'processes', remedy: 'raise the hard limits of this process (`ulimit -H`)' },
  filter: { guarantee: 'syscalls', remedy: KERNEL_REMEDY },
  listener: { guarantee: 'syscalls', remedy: KERNEL_REMEDY },
  canary: {
    guarantee: 'syscalls',
    remedy:
      'the kernel, or something between, took the confinement and does not keep it: run nothing here, and report it',
  },
};

const UNKNOWN_STEP: StepFacts = {
  guarantee: 'filesystem',
  remedy: 'run as root, or where user namespaces, mounts, Landlock and seccomp are allowed',
};

function guaranteeOf(failure: Failure): Guarantee {
  const facts = STEPS[failure.stepName];
  if (facts) return facts.guarantee;
  return failure.stage === Stage.SEAL ? 'syscalls' : UNKNOWN_STEP.guarantee;
}

function remedyOf(failure: Failure): string {
  return (STEPS[failure.stepName] ?? UNKNOWN_STEP).remedy;
}

function enforced(...by: string[]): GuaranteeState {
  return { state: 'enforced', by };
}

function kept(keeper: ResourceKeeper, otherwise: string[], weakness: string): GuaranteeState {
  if (keeper !== 'watchdog') return { state: 'enforced', by: [keeper] };
  return { state: 'partial', by: otherwise, remedy: `${weakness}: ${CGROUP_REMEDY}` };
}

function allAbsent(remedyFor: (guarantee: Guarantee) => string): IsolationReport {
  const entries = GUARANTEES.map((guarantee) => [
    guarantee,
    { state: 'absent', by: [], remedy: remedyFor(guarantee) } satisfies GuaranteeState,
  ]);
  return { guarantees: Object.fromEntries(entries) as Record<Guarantee, GuaranteeState> };
}
