import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, type TestContext, test } from 'vitest';
import type { Guarantee, IsolationReport } from '../../src/index.js';
import { GUARANTEES } from '../../src/isolation.js';
import {
  ADDED_CALLS,
  DOCKER,
  DOCKER_UNFILTERED,
  DOCKER_UNFILTERED_WITH_ADMIN,
  DOCKER_WITH_ADMIN,
  DOCKER_WITH_OWN_FILTER,
  type Profile,
  underProfile,
} from '../support/profiles.js';
import { skipForeign } from '../support/skip.js';
import { packageRoot, temporaryDirectory } from '../support/tree.js';
import { startHost } from './support/host.js';
import { findDescendants } from './support/remains.js';

const isRoot = process.getuid?.() === 0;
const under = (profile: Profile) => underProfile(profile, temporaryDirectory());

/** One part of /proc is covered, as containers do with several. */
const coveredProc = () => [
  ...['unshare', '--mount', ...(isRoot ? [] : ['--user', '--map-root-user'])],
  ...['sh', '-c', 'mount -t tmpfs none /proc/irq && exec "$@"', 'sh'],
];

/** The namespace has a limit of its own, which is below that of the machine. */
const noPidNamespaces = () => [
  ...['unshare', '--user', '--map-root-user'],
  ...['sh', '-c', 'echo 0 >/proc/sys/user/max_pid_namespaces && exec "$@"', 'sh'],
];

interface Findings {
  readonly check: IsolationReport | string;
  /** Of `ready` and of `run`: the code of the error and its message, or what the program printed. */
  readonly ready: string;
  readonly run: string;
  readonly runOfNothingRequired: string;
}

/** What a host finds that is started by that command. When it has closed its sandboxes it has no child left, ended or not. */
async function findUnder(wrapper: readonly string[]): Promise<Findings> {
  const host = startHost(
    `
    const told = (error) => error.code + ': ' + error.message;
    const check = await Sandbox.check({ language: 'python' }).catch(told);
    const sandbox = new Sandbox({ language: 'python', concurrency: 1 });
    const ready = await sandbox.ready().then(() => 'ready', told);
    const run = await sandbox.run('print("ran")').then(({ stdout }) => stdout, told);
    await sandbox.close();
    const careless = new Sandbox({ language: 'python', concurrency: 1, require: [] });
    const runOfNothingRequired = await careless.run('print("ran")').then(({ stdout }) => stdout, told);
    await careless.close();
    console.log(JSON.stringify({ check, ready, run, runOfNothingRequired }));
    process.stdin.resume();
    `,
    wrapper,
  );
  const line = await host.firstLine;
  expect(findDescendants(host.child.pid as number)).toEqual([]);
  host.child.stdin.end();
  expect(await host.ended).toMatchObject({ code: 0, stderr: '' });
  return JSON.parse(line);
}

describe('a machine that refuses what confinement is made of: told with step, errno and remedy, and nothing is run', () => {
  test.each<[string, () => string[], Guarantee, string, string]>([
    [
      'a container of Docker',
      () => under(DOCKER),
      'privileges',
      'user-namespace failed: EPERM',
      '`--security-opt seccomp=unconfined`',
    ],
    [
      'a container of Docker with SYS_ADMIN, whose filter still refuses pivot_root',
      () => under(DOCKER_WITH_ADMIN),
      'filesystem',
      'pivot-root failed: EPERM',
      '`--security-opt seccomp=unconfined`',
    ],
    [
      'user namespaces switched off',
      () => under({ refused: { unshare: 'ENOSPC' } }),
      'privileges',
      'user-namespace failed: ENOSPC',
      '`sysctl user.max_user_namespaces`',
    ],
    [
      'ids that may not be changed',
      () => under({ refused: { setresuid: 'EPERM' } }),
      'privileges',
      'id-map failed: EPERM',
      'CAP_SYS_ADMIN',
    ],
    [
      'mounts denied, as by AppArmor',
      () => under({ refused: { mount: 'EACCES' } }),
      'filesystem',
      'mount-namespace failed: EACCES',
      '`--security-opt apparmor=unconfined`',
    ],
    [
      'a filter that refuses the newer calls for mounts',
      () => under({ refused: { open_tree: 'EPERM' } }),
      'filesystem',
      'view failed: EPERM (/proc)',
      'allow mounting',
    ],
    [
      'a kernel before 5.12',
      () => under({ refused: { mount_setattr: 'ENOSYS' } }),
      'filesystem',
      'view failed: ENOSYS (/proc)',
      'Linux 5.12',
    ],
    [
      'a filter that refuses some calls of Landlock',
      () => under({ refused: { landlock_restrict_self: 'EPERM' } }),
      'filesystem',
      'landlock failed: EPERM',
      'all of its three calls',
    ],
    [
      'a filter that refuses process namespaces',
      () => under({ refused: {}, refusedCloneFlags: 0x20000000 }),
      'processes',
      'pid-namespace failed: EPERM',
      '`--security-opt seccomp=unconfined`',
    ],
    [
      'a container of Docker without its filter, whose /proc is covered',
      () => [...coveredProc(), ...under(DOCKER_UNFILTERED)],
      'processes',
      'proc failed: EPERM',
      '`--security-opt systempaths=unconfined`',
    ],
    [
      'no filters',
      () => under({ refused: { seccomp: 'EPERM' } }),
      'syscalls',
      'filter failed: EPERM',
      'CONFIG_SECCOMP_FILTER',
    ],
  ])('%s', async (_, wrapper, guilty, failure, remedy) => {
    const { check, ...outcomes } = await findUnder(wrapper());
    const { guarantees } = check as IsolationReport;
    for (const name of GUARANTEES) {
      expect(guarantees[name]).toEqual({
        state: 'absent',
        by: [],
        remedy: name === guilty ? expect.stringContaining(failure) : `not reached, since ${guilty} failed`,
      });
    }
    expect(guarantees[guilty].remedy).toContain(remedy);
    for (const outcome of Object.values(outcomes)) {
      expect(outcome).toMatch(/^isolation-unavailable: /);
      expect(outcome).toContain(`'${guilty}'`);
      expect(outcome).toContain(failure);
      expect(outcome).toContain(remedy);
    }
  });

  test('a number of process namespaces that is used up may be so for a while only', async () => {
    const { check, ...outcomes } = await findUnder(noPidNamespaces());
    for (const outcome of [check, ...Object.values(outcomes)]) {
      expect(outcome).toMatch(/^resources-exhausted: pid-namespace failed: ENOSPC: .*`sysctl user`/);
    }
  });
});

describe('a machine that offers less, but enough: every guarantee of confinement is enforced, and the report says by what', () => {
  const enforced = async (wrapper: readonly string[]) => {
    const { check, ...outcomes } = await findUnder(wrapper);
    expect(outcomes).toEqual({ ready: 'ready', run: 'ran\n', runOfNothingRequired: 'ran\n' });
    const { guarantees } = check as IsolationReport;
    for (const name of ['filesystem', 'network', 'processes', 'privileges', 'syscalls'] as const) {
      expect(guarantees[name].state).toBe('enforced');
    }
    return guarantees;
  };

  test('a container of Docker without its filter: root there has too few capabilities for ids of its own', async () => {
    const { processes } = await enforced(under(DOCKER_UNFILTERED));
    expect(processes.by).not.toContain('own uid');
  });

  test("a container of Docker whose filter lets those calls through that the deployment's guide names", async () => {
    const guide = readFileSync(join(packageRoot, 'docs/deployment.md'), 'utf8');
    const [, named = ''] = /^filter that allows these calls as well: ([^.]*)\./m.exec(guide) ?? [];
    expect([...named.matchAll(/`(\w+)`/g)].map(([, call]) => call)).toEqual(['clone', ...ADDED_CALLS]);
    await enforced(under(DOCKER_WITH_OWN_FILTER));
  });

  test('a container of Docker without its filter, with SYS_ADMIN: a covered /proc is no hindrance then', async (context: TestContext) => {
    if (!isRoot) skipForeign(context, 'another user has no capabilities in a container');
    const { processes } = await enforced([...coveredProc(), ...under(DOCKER_UNFILTERED_WITH_ADMIN)]);
    expect(processes.by).toContain('own uid');
  });

  test.each(['ENOSYS', 'EPERM'] as const)('no Landlock, told by %s', async (errno) => {
    const calls = ['landlock_create_ruleset', 'landlock_add_rule', 'landlock_restrict_self'] as const;
    const refused = Object.fromEntries(calls.map((call) => [call, errno]));
    const { filesystem, processes } = await enforced(under({ refused }));
    expect(filesystem.by).toEqual(['mount namespace', 'pivot_root']);
    expect(processes.by).not.toContain('Landlock scopes');
  });

  test('the whole machine', async (context: TestContext) => {
    if (!isRoot) skipForeign(context, 'ids of their own are for jobs of root');
    const { processes } = await enforced(under({ refused: {} }));
    expect(processes.by).toContain('own uid');
  });
});
