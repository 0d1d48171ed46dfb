import { constants } from 'node:os';
import { describe, expect, test } from 'vitest';
import { SandboxError } from '../../src/errors.js';
import {
  assertGuarantees,
  copyReport,
  FailureError,
  GUARANTEES,
  REQUIRED_BY_DEFAULT,
  REQUIRED_WITH_NETWORK,
  reportFailure,
  reportReadiness,
} from '../../src/isolation.js';
import type { Failure, Readiness } from '../../src/protocol.js';

const readiness: Readiness = {
  supervisorPid: 1,
  zygotePid: 2,
  landlockAbi: 7,
  memoryBy: 'cgroup v2',
  cpuBy: 'cgroup v2',
  processesBy: 'cgroup v2',
  ownUid: true,
  denialsTold: true,
};

const failure = (fields: Partial<Failure>): Failure => ({
  stage: 2,
  step: 3,
  errno: constants.errno.EPERM,
  stepName: 'user-namespace',
  detail: '',
  ...fields,
});

describe('a report of what is ready', () => {
  test('with control groups everything is enforced, and says by what', () => {
    const { guarantees } = reportReadiness(readiness, false);
    expect(Object.keys(guarantees)).toEqual([...GUARANTEES]);
    for (const state of Object.values(guarantees)) expect(state).toEqual({ state: 'enforced', by: state.by });
    expect(guarantees.filesystem.by).toEqual(['mount namespace', 'pivot_root', 'Landlock ABI 7']);
    expect(guarantees.network.by).toEqual(['network namespace', 'seccomp']);
    expect(guarantees.memory.by).toEqual(['cgroup v2']);
  });

  test('without them memory and CPU are partial, with a remedy', () => {
    const { guarantees } = reportReadiness({ ...readiness, memoryBy: 'watchdog', cpuBy: 'watchdog' }, false);
    expect(guarantees.memory).toEqual({
      state: 'partial',
      by: ['watchdog'],
      remedy: expect.stringContaining('control group'),
    });
    expect(guarantees.cpu).toMatchObject({ state: 'partial', remedy: expect.stringContaining('Delegate=yes') });
    expect(guarantees.syscalls.state).toBe('enforced');
  });

  test('says where refused calls are not told', () => {
    const { syscalls } = reportReadiness({ ...readiness, denialsTold: false }, false).guarantees;
    expect(syscalls).toEqual({ state: 'enforced', by: ['seccomp'], remedy: expect.stringContaining('listener') });
    expect(reportReadiness(readiness, false).guarantees.syscalls.by).toEqual(['seccomp', 'user notification']);
  });

  test("with the host's network that guarantee is absent, says so, and all others stay", () => {
    const { network, ...others } = reportReadiness(readiness, true).guarantees;
    expect(network).toEqual({ state: 'absent', by: [], remedy: expect.stringMatching(/`network: true`.*leave/) });
    const { network: _, ...before } = reportReadiness(readiness, false).guarantees;
    expect(others).toEqual(before);
  });

  test('names only the mechanisms there are', () => {
    const { guarantees } = reportReadiness({ ...readiness, landlockAbi: 0, ownUid: false }, false);
    expect(guarantees.filesystem.by).toEqual(['mount namespace', 'pivot_root']);
    expect(guarantees.processes.by).toEqual(['pid namespace']);
    expect(reportReadiness({ ...readiness, landlockAbi: 5 }, false).guarantees.processes.by).toEqual([
      'pid namespace',
      'own uid',
    ]);
  });

  test('a copy shares nothing', () => {
    const report = reportReadiness(readiness, false);
    const copy = copyReport(report);
    expect(copy).toEqual(report);
    copy.guarantees.cpu.by.push('x');
    copy.guarantees.cpu.state = 'absent';
    expect(report).toEqual(reportReadiness(readiness, false));
  });
});

describe('what a caller requires', () => {
  test('is satisfied by what is enforced', () => {
    expect(() => assertGuarantees(reportReadiness(readiness, false), GUARANTEES)).not.toThrow();
    expect(() => assertGuarantees(reportReadiness(readiness, true), REQUIRED_WITH_NETWORK)).not.toThrow();
    expect(() => assertGuarantees(reportReadiness(readiness, true), REQUIRED_BY_DEFAULT)).toThrow(/'network' .*absent/);
  });

  test('partial is not enough, and the message says what to do', () => {
    const report = reportReadiness({ ...readiness, memoryBy: 'watchdog' }, false);
    expect(() => assertGuarantees(report, REQUIRED_BY_DEFAULT)).not.toThrow();
    expect(() => assertGuarantees(report, ['memory'])).toThrow(SandboxError);
    expect(() => assertGuarantees(report, ['memory'])).toThrow(
      /^The guarantee 'memory' is required, but only partial \(by watchdog\): .*control group.*'require'$/,
    );
  });
});

describe('a failure', () => {
  test.each<[string, Partial<Failure>, string, string[]]>([
    [
      'of a namespace',
      {},
      'isolation-unavailable',
      ["'privileges'", 'user-namespace failed', 'EPERM', 'max_user_namespaces'],
    ],
    [
      'of a switched-off namespace',
      { errno: constants.errno.ENOSPC },
      'isolation-unavailable',
      ['ENOSPC', 'user.max_user_namespaces'],
    ],
    ['of the root', { stepName: 'pivot-root' }, 'isolation-unavailable', ["'filesystem'", 'pivot-root', 'Docker']],
    ['of enter', { stage: 4, stepName: 'proc' }, 'isolation-unavailable', ["'processes'", 'systempaths']],
    [
      'of seal',
      { stage: 5, stepName: 'filter', errno: constants.errno.EINVAL },
      'isolation-unavailable',
      ["'syscalls'", 'EINVAL'],
    ],
    [
      'of a step of seal without a name',
      { stage: 5, stepName: '', step: 8 },
      'isolation-unavailable',
      ["'syscalls'", 'step 8'],
    ],
    ['of a step nobody knows', { stepName: 'moon' }, 'isolation-unavailable', ['moon failed', 'EPERM']],
    [
      'of the interpreter',
      { stage: 3, stepName: 'exited', errno: 0, detail: "ModuleNotFoundError: No module named 'x'\n" },
      'spawn-failed',
      ["exited failed (ModuleNotFoundError: No module named 'x')"],
    ],
    ['of the supervisor', { stage: 1, stepName: 'configure', errno: 0 }, 'spawn-failed', ['configure failed']],
    ['for want of descriptors', { errno: constants.errno.EMFILE }, 'resources-exhausted', ['EMFILE', 'ulimit -n']],
    [
      'for want of processes',
      { stage: 4, errno: constants.errno.EAGAIN },
      'resources-exhausted',
      ['EAGAIN', 'ulimit -u'],
    ],
    ['for want of memory', { stage: 3, errno: constants.errno.ENOMEM }, 'resources-exhausted', ['ENOMEM']],
    ['for want of space later', { stage: 4, errno: constants.errno.ENOSPC }, 'resources-exhausted', ['ENOSPC']],
    ['of resources', { stage: 6, stepName: 'control-group' }, 'resources-exhausted', ['control-group', 'EPERM']],
  ])('%s', (_, fields, code, parts) => {
    const error = new FailureError(failure(fields));
    expect(error).toBeInstanceOf(SandboxError);
    expect(error.name).toBe('SandboxError');
    expect(error.code).toBe(code);
    for (const part of parts) expect(error.message).toContain(part);
  });

  test('as a report: everything absent, the guilty one with errno and remedy', () => {
    const { guarantees } = reportFailure(failure({ stepName: 'mount-namespace' }));
    expect(Object.values(guarantees).map(({ state }) => state)).toEqual(GUARANTEES.map(() => 'absent'));
    expect(guarantees.filesystem.remedy).toMatch(/^mount-namespace failed: EPERM: allow mounting/);
    expect(guarantees.network.remedy).toContain('filesystem');
  });
});
