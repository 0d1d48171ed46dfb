// A zygote, or a pid 1, that breaks the protocol: a typed error or a killed zygote, never a wrong result, never a hang.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type RunResult, Sandbox, type SandboxError } from '../../src/index.js';
import { findRemains } from '../api/support/remains.js';
import { hasCommand, runCommand } from '../support/command.js';
import { skipMissing } from '../support/skip.js';
import { packageRoot } from '../support/tree.js';
import { buildSanitizedSupervisor, sanitizerLogs, sourcesIn } from './sources.js';

const built = vi.hoisted(() => ({ supervisor: '' }));

vi.mock('../../src/paths.js', async (importOriginal) => {
  const paths = await importOriginal<typeof import('../../src/paths.js')>();
  return { ...paths, prebuiltPaths: () => ({ ...paths.prebuiltPaths(), supervisor: built.supervisor }) };
});

/** The supervisor waits 20 seconds for a fork, 55 for an interpreter. */
vi.setConfig({ testTimeout: 150_000, maxConcurrency: 8 });

const hasCompiler = hasCommand('gcc');
let directory = '';
let liar = '';
let bystander: ChildProcess;
let before: ReturnType<typeof findRemains>;

beforeAll(() => {
  if (!hasCompiler) return;
  // Not in /tmp, where jobs have their scratch: an interpreter there is refused.
  directory = mkdtempSync('/var/tmp/pinfold-liars-');
  chmodSync(directory, 0o755);
  built.supervisor = buildSanitizedSupervisor(directory);
  liar = join(directory, 'liar');
  const source = join(packageRoot, 'test/fixtures/liar.c');
  const flags = ['-std=gnu11', '-D_GNU_SOURCE', '-DPINFOLD_HOSTED', '-Wall', '-Wextra', '-Werror', '-static'];
  runCommand('gcc', [...flags, `-I${join(packageRoot, 'native')}`, '-o', liar, source, ...sourcesIn('base')]);
  bystander = spawn('sleep', ['1000'], { stdio: 'ignore' });
  before = findRemains();
});

afterAll(() => {
  bystander?.kill();
  if (directory) rmSync(directory, { recursive: true });
});

/**
 * How a run ends that such an interpreter is to do: the code of its error, or the reason in its result. Without control groups
 * its CPU time is read through its own /proc, and a liar has the zygote's, with all that runs there: hence no limit.
 */
async function runOf(lie: string): Promise<string> {
  const sandbox = new Sandbox({ language: 'python', executable: liar, preload: [lie], concurrency: 2 });
  const runs = [1, 2].map(() => sandbox.run('print(1)', { wallMs: 1_000, cpuMs: 1_000_000_000 }));
  const endings = (await Promise.allSettled(runs)).map((outcome) =>
    outcome.status === 'fulfilled' ? endOf(outcome.value) : (outcome.reason as SandboxError).code,
  );
  await sandbox.close();
  return [...new Set(endings)].join(' or ');
}

function endOf({ ok, stdout, reason }: RunResult): string {
  return ok || stdout !== '' ? 'a wrong result' : reason;
}

describe.runIf(hasCompiler).concurrent('a zygote that', () => {
  test.each([
    ['says nothing', 'silent', 'spawn-failed'],
    ['exits', 'exits', 'spawn-failed'],
    ['dies', 'dies', 'spawn-failed'],
    ['closes its socket', 'closes', 'spawn-failed'],
    ['cuts a message', 'cut', 'spawn-failed'],
    ['sends more than a message', 'longer', 'spawn-failed'],
    ['sends an empty message', 'empty', 'spawn-failed'],
    ['sends an unknown kind', 'unknown', 'spawn-failed'],
    ['asks for its id map for ever', 'maps_again', 'spawn-failed'],
    ['tells of forks before it serves', 'forks_early', 'spawn-failed'],
    ['speaks as a job', 'parks', 'spawn-failed'],
    ['fails for ever', 'fails_always', 'spawn-failed'],
    ['is ready for ever', 'ready_always', 'spawn-failed'],
    ['sends noise', 'noise', 'spawn-failed'],
    ['never forks', 'serves_silent', 'resources-exhausted'],
    ['exits when it is to fork', 'serves_exits', 'spawn-failed'],
    ['closes its socket when it is to fork', 'serves_closes', 'spawn-failed'],
    ['sends noise when it is to fork', 'serves_noise', 'spawn-failed'],
    ['is ready for ever when it is to fork', 'serves_ready', 'spawn-failed'],
    ['tells its own pid', 'serves_self', 'spawn-failed'],
    ['tells pid 0', 'serves_zero', 'spawn-failed'],
    ['tells the least pid', 'serves_least', 'spawn-failed'],
    ['tells one pid twice', 'serves_twice', 'resources-exhausted'],
    ["tells init's pid", 'serves_pid_1', 'spawn-failed'],
    ["can't fork", 'serves_error', 'resources-exhausted'],
  ])('%s', async (_, lie, expected) => {
    expect(await runOf(lie)).toBe(expected);
  });
});

describe.runIf(hasCompiler).concurrent('a job that', () => {
  test.each([
    ['exits', 'serves_job_exits', 'resources-exhausted'],
    ['closes its socket', 'serves_job_closes', 'resources-exhausted'],
    ['sends an unknown kind', 'serves_job_unknown', 'spawn-failed'],
    ['speaks as a zygote', 'serves_job_ready', 'spawn-failed'],
    ['starts before it has a task', 'serves_job_starts_early', 'spawn-failed'],
    ['parks for ever', 'serves_job_parks_always', 'spawn-failed'],
    ['ends for ever', 'serves_job_ends_always', 'spawn-failed'],
    ['fails for ever', 'serves_job_fails_always', 'spawn-failed'],
    ['sends noise', 'serves_job_noise', 'spawn-failed'],
    ['exits when it has its task', 'serves_job_parked_exits', 'resources-exhausted'],
    ['ends without a start', 'serves_job_parked_ends', 'resources-exhausted'],
    ['never starts', 'serves_job_parked_silent', 'wall-limit'],
    ['starts for ever', 'serves_job_parked_starts_always', 'spawn-failed'],
    ['has its task and ends for ever', 'serves_job_parked_ends_always', 'spawn-failed'],
    ['has its task and sends noise', 'serves_job_parked_noise', 'spawn-failed'],
  ])('%s', async (_, lie, expected) => {
    expect(await runOf(lie)).toBe(expected);
  });
});

test("a pid of somebody else's is not taken for a job, and not killed", async (context) => {
  if (!hasCompiler) return skipMissing(context, 'no gcc');
  expect(await runOf(`serves_pid_${bystander.pid}`)).toBe('spawn-failed');
  expect(await runOf(`serves_pid_${process.pid}`)).toBe('spawn-failed');
  expect([bystander.exitCode, bystander.signalCode]).toEqual([null, null]);
});

test('nothing is left behind, and the sanitizers found nothing', async (context) => {
  if (!hasCompiler) return skipMissing(context, 'no gcc');
  await vi.waitFor(() => {
    const { descriptors, ...after } = findRemains();
    const { descriptors: _, ...rest } = before;
    expect(after).toEqual(rest);
    expect(processesOf(liar)).toEqual([]);
  }, 5_000);
  expect(sanitizerLogs(directory)).toEqual([]);
});

function processesOf(executable: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/exe`).startsWith(executable);
    } catch {
      return false;
    }
  });
}
