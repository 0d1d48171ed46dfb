// Random system calls from inside: whatever they do to their own job, the host and all others are unharmed.
import { randomInt } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { type RunResult, Sandbox } from '../../src/index.js';
import { findRemains, findSupervisors } from '../api/support/remains.js';
import { packageRoot } from '../support/tree.js';
import { fuzzSeconds } from './seconds.js';

vi.setConfig({ testTimeout: (fuzzSeconds + 120) * 1_000 });

const code = readFileSync(join(packageRoot, 'test/fixtures/random_calls.py'));
/** All that such a program can come to. None of them is a fault of the host. */
const REASONS = ['exited', 'signaled', 'wall-limit', 'cpu-limit', 'memory-limit', 'output-limit', 'denied'];
/** One ends early when its children left so many processes that it can't fork: then the next goes on. */
const AT_MOST_RUNS = 1_000;

function stateOfHost() {
  const clockMs = Date.now() - performance.now();
  const { mounts, supervisors } = findRemains();
  return { mounts, supervisors, hostname: hostname(), directory: process.cwd(), clockMs: Math.round(clockMs / 60_000) };
}

test(`nothing outside the job notices, for ${fuzzSeconds} seconds`, async () => {
  const canary = mkdtempSync(join(tmpdir(), 'pinfold-canary-'));
  writeFileSync(join(canary, 'file'), 'unchanged');
  const sandbox = new Sandbox({ language: 'python', concurrency: 3 });
  const events: string[] = [];
  sandbox.on('zygote', ({ state }) => events.push(state));
  sandbox.on('error', (error) => events.push(error.message));
  await sandbox.run('print(1)');
  const [before, supervisors] = [stateOfHost(), findSupervisors()];
  const sibling = sandbox.run(`import time\ntime.sleep(${fuzzSeconds})\nprint("fine")`, {
    wallMs: (fuzzSeconds + 60) * 1_000,
  });

  const endsAt = performance.now() + fuzzSeconds * 1_000;
  const first = randomInt(2 ** 40);
  let children = 0;
  for (let index = 0; index < AT_MOST_RUNS && performance.now() < endsAt; index += 1) {
    const seed = first + index * 1_000_000;
    const seconds = Math.max(0.1, (endsAt - performance.now()) / 1_000);
    const limits = {
      wallMs: fuzzSeconds * 1_000 + 20_000,
      cpuMs: (fuzzSeconds + 20) * 1_000,
      memoryBytes: '128MiB',
    } as const;
    const result = await sandbox.run(code, { ...limits, args: [`${seed}`, `${seconds}`] });
    expect(REASONS, `seed ${seed}`).toContain(result.reason);
    children += childrenOf(result);
    expect((await sandbox.run('print(1)')).stdout, `seed ${seed}`).toBe('1\n');
    expect([stateOfHost(), findSupervisors()], `seed ${seed}`).toEqual([before, supervisors]);
  }

  expect(children).toBeGreaterThan(0);
  expect((await sibling).stdout).toBe('fine\n');
  expect(events).toEqual(['ready']);
  expect(readdirSync(canary)).toEqual(['file']);
  expect(readFileSync(join(canary, 'file'), 'utf8')).toBe('unchanged');
  await sandbox.close();
  await vi.waitFor(() => expect(findRemains()).toMatchObject({ supervisors: 0, orphans: [], groups: [] }), 5_000);
  rmSync(canary, { recursive: true });
});

function childrenOf({ stdout }: RunResult): number {
  const counts = /^(\d+) (\d+) (\d+)$/m.exec(stdout)?.slice(1) ?? [];
  return counts.reduce((sum, count) => sum + Number(count), 0);
}
