import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, vi } from 'vitest';
import { LIMIT_NAMES } from '../../../src/limits.js';
import type { RunOptions } from '../../../src/options.js';
import { builtPackage, startHost } from '../../api/support/host.js';
import { findDescendants, findSupervisors, isAlive } from '../../api/support/remains.js';
import { NotHere, type Probe, type Stage } from '../probe.js';

const FOREVER = 'print("up", flush=True)\nwhile True: pass';
const SLEEPER = 'print("up", flush=True)\nimport time; time.sleep(60)';
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const hostWithJob = `
  const sandbox = new Sandbox({ language: 'python' });
  const run = sandbox.run(${JSON.stringify(FOREVER)}, { wallMs: 60_000 });
  await run.stdout.getReader().read();
  console.log('up');`;

/** A host that starts its job without a sandbox. */
const bareHost = `
  import { spawn } from 'node:child_process';
  const job = spawn('sleep', ['60'], { stdio: 'ignore' });
  console.log('up', job.pid);`;

async function expectNoneAlive(pids: readonly number[]): Promise<void> {
  await vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), 5_000);
}

/** A job that a host started as Node itself does outlives it. */
async function showOrphan(ending: string): Promise<void> {
  const host = startHost(`${bareHost}\n${ending}`);
  const pid = Number((await host.firstLine).split(' ')[1]);
  if (!ending) host.child.kill('SIGKILL');
  await host.ended;
  expect(isAlive(pid)).toBe(true);
  process.kill(pid, 'SIGKILL');
}

/** Runs that must be refused, each with what its message has to name; none may start a process. */
async function expectRefused(stage: Stage, options: readonly [Record<string, unknown>, ...RegExp[]][]): Promise<void> {
  const fresh = stage.open();
  const before = findSupervisors();
  for (const [given, ...named] of options) {
    const error = await fresh.run('print(1)', given as RunOptions).then(
      () => expect.fail(`not refused: ${Object.keys(given)} ${Object.values(given).map(String)}`),
      (thrown) => thrown,
    );
    expect(error).toMatchObject({ name: 'SandboxError', code: 'invalid-option' });
    for (const word of named) expect(error.message).toMatch(word);
  }
  expect(findSupervisors()).toEqual(before);
}

const nonsense = [
  ...[Number.NaN, Infinity, -Infinity, -1, 0.5, 2 ** 53, 1e21, 10n, true, null, {}, [5]],
  ...['', '5', 'five', '5 apples', 'NaN', '-5MiB', '0x10', '1e3', '5MB', ' 5MiB', '5MiB\n'],
];

export const host: readonly Probe[] = [
  {
    id: 'H1',
    title: 'gives code with a NUL',
    outcome: 'R',
    layer: 'the language',
    expects: 'as the bare interpreter',
    run: async ({ sandbox, limits, scene }) => {
      const code = 'print("before")\nprint("a\0b")\n';
      const directory = scene.directory();
      writeFileSync(join(directory, 'main.py'), code);
      const bare = spawnSync(scene.executables.python, ['main.py'], { cwd: directory, encoding: 'utf8' });
      rmSync(directory, { recursive: true });
      const { exitCode, stdout } = await sandbox.run(code, limits);
      expect([exitCode, stdout]).toEqual([bare.status, bare.stdout]);
      return 'as the bare interpreter';
    },
  },
  {
    id: 'H3',
    title: 'gives 50 MB of code',
    outcome: 'S',
    layer: 'none: it works',
    expects: 'it runs',
    run: async ({ sandbox, limits }) => {
      const code = `${`# ${'x'.repeat(997)}\n`.repeat(50_000)}print('end')`;
      expect(code.length).toBeGreaterThan(50_000_000);
      const result = await sandbox.run(code, { ...limits, wallMs: 50_000, memoryBytes: '1GiB' });
      expect(result, result.stderr).toMatchObject({ ok: true, stdout: 'end\n' });
      return 'it runs';
    },
  },
  {
    id: 'H4',
    title: 'streams 1 GB to stdin, and to a job that hangs up',
    outcome: 'S',
    layer: 'credit: the host reads no faster than the job',
    expects: '1 GB, and no EPIPE',
    run: async ({ sandbox }) => {
      const limits = { wallMs: 55_000, cpuMs: 55_000 };
      const chunk = Buffer.alloc(1_000_000, 'x');
      const gigabyte = () => Readable.from(Array.from({ length: 1_000 }, () => chunk));
      const count = 'import os\ntotal = 0\nwhile piece := os.read(0, 1 << 20): total += len(piece)\nprint(total)';
      const before = process.memoryUsage().rss;
      const result = await sandbox.run(count, { ...limits, stdin: gigabyte() });
      expect(result).toMatchObject({ ok: true, stdout: '1000000000\n' });
      expect(process.memoryUsage().rss - before).toBeLessThan(300 << 20);
      const closing = await sandbox.run('import os\nos.read(0, 1)\nos.close(0)\nprint("fine")', { stdin: gigabyte() });
      expect(closing).toMatchObject({ ok: true, stdout: 'fine\n' });
      return '1 GB, and no EPIPE';
    },
  },
  {
    id: 'H5',
    title: 'gives limits that are no limits',
    outcome: 'R',
    layer: 'options',
    expects: 'invalid-option',
    run: async (stage) => {
      const cases = LIMIT_NAMES.flatMap((name) =>
        nonsense.map((value) => [{ [name]: value }, new RegExp(name), shown(value)] as [object, RegExp, RegExp]),
      );
      await expectRefused(stage, cases as never);
      for (const [given, name] of cases) expect(() => stage.open({ limits: given as never })).toThrow(name);
      return 'invalid-option';
    },
    shows: async ({ sandbox }) => {
      const good = { wallMs: 5_000, cpuMs: 5_000, memoryBytes: '64MiB', scratchBytes: 1 << 20, openFiles: 32 } as const;
      expect((await sandbox.run('print(1)', good)).stdout).toBe('1\n');
    },
  },
  {
    id: 'H6',
    title: 'gives arguments that look like options',
    outcome: 'S',
    layer: 'arguments never reach a command line',
    expects: 'data',
    run: async ({ sandbox, limits }) => {
      const args = [
        '-c',
        'print(666)',
        '--version',
        '-i',
        '--',
        '-',
        '-m',
        'http.server',
        '@file',
        '$(id)',
        '`id`',
        '',
      ];
      const { stdout } = await sandbox.run('import json, sys; print(json.dumps(sys.argv))', { ...limits, args });
      expect(JSON.parse(stdout)).toEqual(['main.py', ...args]);
      return 'data';
    },
  },
  {
    id: 'H7',
    title: 'gives newlines, and other signs, in any field',
    outcome: 'S',
    layer: 'length-prefixed frames',
    expects: 'data; a NUL is refused',
    run: async (stage) => {
      const odd = ['\n', '\r\n', 'a\nb=c', '\u2028', '\x1b[2J', '\u{1F600}', '\x7f', '%n%s', '"\'\\'];
      const env = Object.fromEntries(odd.map((text, index) => [`V${index}`, text]));
      const { stdout } = await stage.sandbox.run(
        'import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ), sys.stdin.buffer.read().decode()]))',
        { ...stage.limits, args: odd, env, stdin: odd.join('') },
      );
      expect(JSON.parse(stdout)).toEqual([odd, env, odd.join('')]);
      await expectRefused(stage, [
        [{ args: ['a\0b'] }, /args/],
        [{ env: { A: 'a\0b' } }, /env/],
        [{ env: { 'A\0B': 'x' } }, /env/],
        [{ env: { 'A=B': 'x' } }, /env/],
        [{ env: { '': 'x' } }, /env/],
      ]);
      return 'data; a NUL is refused';
    },
  },
  {
    id: 'H9',
    title: 'queues 10,000 runs, and gives up most of them',
    outcome: 'S',
    layer: 'queue',
    expects: 'none lost',
    // That all of so many are run to their end is a test of its own: it takes a minute.
    run: async ({ open, limits }) => {
      const busy = open({ concurrency: 4, warm: 4 });
      const controller = new AbortController();
      const isKept = (index: number) => index % 20 === 0;
      const runs = Array.from({ length: 10_000 }, (_, index) =>
        busy.run(`print(${index})`, { ...limits, ...(isKept(index) ? {} : { signal: controller.signal }) }),
      );
      expect(busy.pending + busy.running).toBe(10_000);
      await runs[0];
      controller.abort();
      const results = await Promise.all(runs);
      const lost = results.filter(({ reason, stdout }, index) =>
        isKept(index) ? stdout !== `${index}\n` : reason !== 'aborted' && stdout !== `${index}\n`,
      );
      expect(lost).toEqual([]);
      expect([busy.running, busy.pending]).toEqual([0, 0]);
      return 'none lost';
    },
  },
  {
    id: 'H10',
    title: 'aborts before the start',
    outcome: 'R',
    layer: 'queue',
    expects: 'aborted, no process',
    run: async ({ open }) => {
      const fresh = open();
      const before = findSupervisors();
      expect(await fresh.run('print(1)', { signal: AbortSignal.abort() })).toMatchObject({
        reason: 'aborted',
        stdout: '',
      });
      expect(findSupervisors()).toEqual(before);
      return 'aborted, no process';
    },
  },
  {
    id: 'H11',
    title: 'aborts while it runs',
    outcome: 'B',
    layer: 'supervisor',
    expects: 'dead within 50 ms',
    run: async ({ sandbox, limits }) => {
      const times: number[] = [];
      // The best of several: the machine may be busy with something else.
      for (let round = 0; round < 5; round += 1) {
        const controller = new AbortController();
        const run = sandbox.run(`import os\nos.fork()\n${FOREVER}`, { ...limits, signal: controller.signal });
        await run.stdout.getReader().read();
        const abortedAt = performance.now();
        controller.abort();
        expect((await run).reason).toBe('aborted');
        times.push(performance.now() - abortedAt);
      }
      expect(Math.min(...times)).toBeLessThan(50);
      return 'dead within 50 ms';
    },
  },
  {
    id: 'H12',
    title: 'aborts after the end',
    outcome: 'S',
    layer: 'queue',
    expects: 'nothing',
    run: async ({ sandbox, limits }) => {
      const controller = new AbortController();
      const run = sandbox.run('print(1)', { ...limits, signal: controller.signal });
      const result = await run;
      controller.abort();
      run.kill('SIGKILL');
      await pause(20);
      expect(await run).toBe(result);
      expect((await sandbox.run('print(2)', limits)).stdout).toBe('2\n');
      return 'nothing';
    },
  },
  {
    id: 'H13',
    title: 'closes with runs in flight and in the queue',
    outcome: 'B',
    layer: 'sandbox',
    expects: 'every promise settles',
    run: async ({ open }) => {
      const busy = open({ concurrency: 2 });
      const runs = Array.from({ length: 20 }, () => busy.run(SLEEPER, { wallMs: 60_000 }));
      await runs[0]?.stdout.getReader().read();
      const [, ...outcomes] = await Promise.allSettled([busy.close(), ...runs]);
      for (const outcome of outcomes) {
        if (outcome.status === 'fulfilled') expect(outcome.value.reason).toBe('aborted');
        else expect(outcome.reason).toMatchObject({ code: 'closed' });
      }
      await expect(busy.run('print(1)')).rejects.toMatchObject({ code: 'closed' });
      return 'every promise settles';
    },
  },
  {
    id: 'H14',
    title: 'is killed',
    outcome: 'B',
    layer: 'supervisor: its socket closes',
    expects: 'nothing survives',
    run: async () => {
      const killed = startHost(hostWithJob);
      await killed.firstLine;
      const family = findDescendants(killed.child.pid as number);
      expect(family.length).toBeGreaterThanOrEqual(3);
      killed.child.kill('SIGKILL');
      await killed.ended;
      await expectNoneAlive(family);
      return 'nothing survives';
    },
    shows: () => showOrphan(''),
  },
  {
    id: 'H16',
    title: 'loses its zygote',
    outcome: 'B',
    layer: 'supervisor: starts another one',
    expects: 'a result or a typed error',
    run: async ({ open, limits }) => {
      const one = open({ concurrency: 2 });
      const zygotes: number[] = [];
      one.on('zygote', (event) => event.state === 'ready' && zygotes.push(event.pid));
      await one.ready();
      const running = one.run('import time; time.sleep(0.3); print("fine")', limits);
      await pause(50);
      process.kill(zygotes[0] ?? expect.fail('no zygote'), 'SIGKILL');
      const runs = [running, ...Array.from({ length: 4 }, () => one.run('print("fine")', limits))];
      for (const outcome of await Promise.allSettled(runs)) {
        if (outcome.status === 'fulfilled') expect(outcome.value.stdout).toBe('fine\n');
        else expect(outcome.reason.code).toMatch(/^(supervisor-lost|spawn-failed|resources-exhausted)$/);
      }
      expect((await one.run('print(1)', limits)).stdout).toBe('1\n');
      return 'a result or a typed error';
    },
  },
  {
    id: 'H17',
    title: 'has no user namespaces left (ENOSPC)',
    outcome: 'R',
    layer: 'typed errors',
    expects: 'typed, recovers',
    run: async () => {
      const poor = startHost(
        `
        import { writeFileSync } from 'node:fs';
        const limit = (count) => writeFileSync('/proc/sys/user/max_user_namespaces', String(count));
        const sandbox = new Sandbox({ language: 'python' });
        limit(0);
        console.log(await sandbox.run('print(1)').catch((error) => error.code));
        limit(1000);
        console.log((await sandbox.run('print(2)')).stdout.trim());
        await sandbox.close();`,
        ['unshare', '--user', '--map-root-user'],
      );
      const { code, stdout, stderr } = await poor.ended;
      expect(stderr).toBe('');
      expect([code, stdout]).toEqual([0, expect.stringMatching(/^(resources-exhausted|isolation-unavailable)\n2\n$/)]);
      return 'typed, recovers';
    },
  },
  {
    id: 'H18',
    title: 'has no descriptors left (EMFILE)',
    outcome: 'R',
    layer: 'typed errors',
    expects: 'typed, recovers',
    run: async () => {
      const poor = startHost(`
        import { closeSync, openSync } from 'node:fs';
        const sandbox = new Sandbox({ language: 'python' });
        await sandbox.run('1');
        const other = new Sandbox({ language: 'python' });
        const files = [];
        try { for (;;) files.push(openSync('/dev/null')); } catch {}
        console.log(await other.run('print(1)').catch((error) => error.code), (await sandbox.run('print(2)')).stdout.trim());
        for (const file of files) closeSync(file);
        console.log((await other.run('print(3)')).stdout.trim());
        await Promise.all([other.close(), sandbox.close()]);`);
      expect(await poor.ended).toMatchObject({ code: 0, stdout: 'resources-exhausted 2\n3\n', stderr: '' });
      return 'typed, recovers';
    },
  },
  {
    id: 'H19',
    title: 'has no processes left (EAGAIN)',
    outcome: 'R',
    layer: 'typed errors',
    expects: 'typed, recovers',
    run: async ({ scene }) => {
      if (scene.isRoot) return new NotHere('root is not bound by RLIMIT_NPROC; the pass as another user is');
      const poor = startHost(
        `
        import { spawn } from 'node:child_process';
        const sleepers = [];
        for (;;) {
          const child = spawn('sleep', ['60'], { stdio: 'ignore' });
          child.on('error', () => {});
          if (child.pid === undefined) break;
          sleepers.push(child);
        }
        const sandbox = new Sandbox({ language: 'python', concurrency: 1 });
        console.log(await sandbox.run('print(1)').catch((error) => error.code));
        await Promise.all(sleepers.map((child) => new Promise((resolve) => { child.on('exit', resolve); child.kill('SIGKILL'); })));
        console.log((await sandbox.run('print(2)', { processes: 8 })).stdout.trim());
        await sandbox.close();`,
        ['prlimit', `--nproc=${countOwnThreads() + 80}`],
      );
      const { code, stdout, stderr } = await poor.ended;
      expect(stderr).toBe('');
      expect([code, stdout]).toEqual([0, 'resources-exhausted\n2\n']);
      return 'typed, recovers';
    },
  },
  {
    id: 'H21',
    title: 'runs in worker threads, and terminates one',
    outcome: 'B',
    layer: 'supervisor: its socket closes',
    expects: 'its jobs die, others go on',
    run: async () => {
      const worker = `import(${JSON.stringify(builtPackage)}).then(async ({ Sandbox }) => {
        const { parentPort } = require('node:worker_threads');
        const sandbox = new Sandbox({ language: 'python' });
        parentPort.postMessage((await sandbox.run('print(1)')).stdout.trim());
        const run = sandbox.run(${JSON.stringify(FOREVER)}, { wallMs: 60_000 });
        await run.stdout.getReader().read();
        parentPort.postMessage('up');
      });`;
      const threaded = startHost(`
        import { Worker } from 'node:worker_threads';
        const worker = new Worker(${JSON.stringify(worker)}, { eval: true, execArgv: [] });
        const next = () => new Promise((resolve) => worker.once('message', resolve));
        console.log(await next(), await next());
        await new Promise((resolve) => process.stdin.once('data', resolve));
        await worker.terminate();
        const sandbox = new Sandbox({ language: 'python' });
        console.log((await sandbox.run('print("fine")')).stdout.trim());
        await sandbox.close();
        process.exit(0);`);
      await threaded.firstLine;
      const family = findDescendants(threaded.child.pid as number);
      expect(family.length).toBeGreaterThanOrEqual(3);
      threaded.child.stdin.write('go\n');
      expect(await threaded.ended).toMatchObject({ code: 0, stdout: '1 up\nfine\n', stderr: '' });
      await expectNoneAlive(family);
      return 'its jobs die, others go on';
    },
  },
  {
    id: 'H22',
    title: 'calls process.exit in the middle of a run',
    outcome: 'B',
    layer: 'supervisor: its socket closes',
    expects: 'no orphan',
    run: async () => {
      const ending = startHost(`${hostWithJob}\nsetTimeout(() => process.exit(3), 300);`);
      await ending.firstLine;
      const family = findDescendants(ending.child.pid as number);
      expect(family.length).toBeGreaterThanOrEqual(3);
      expect((await ending.ended).code).toBe(3);
      await expectNoneAlive(family);
      return 'no orphan';
    },
    shows: () => showOrphan('process.exit(0)'),
  },
  {
    id: 'H23',
    title: 'has listeners that throw',
    outcome: 'B',
    layer: 'run, sandbox',
    expects: 'other runs unaffected',
    run: async ({ open, limits }) => {
      const one = open();
      const told: unknown[] = [];
      one.on('error', (error) => told.push(error));
      one.on('start', () => {
        throw new Error('bad listener of start');
      });
      const bad = one.run('while True: print("x")', {
        ...limits,
        onStdout: () => {
          throw new Error('bad listener of stdout');
        },
      });
      const good = one.run('print("fine")', limits);
      await expect(bad).rejects.toThrow('bad listener of stdout');
      expect((await good).stdout).toBe('fine\n');
      expect(told.length).toBeGreaterThan(0);
      return 'other runs unaffected';
    },
  },
];

/** A message shows the value that it refuses: its first sign at least. */
function shown(value: unknown): RegExp {
  if (typeof value === 'string') return /but is|must be/;
  const text = typeof value === 'number' ? String(value) : '';
  return new RegExp(text.replace(/[+.-]/g, '\\$&'));
}

/** All threads of this user: what RLIMIT_NPROC counts. */
function countOwnThreads(): number {
  const { stdout } = spawnSync('sh', ['-c', 'ls -d /proc/[0-9]*/status'], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((path) => {
      try {
        const status = readFileSync(path, 'utf8');
        const isOwn = new RegExp(`^Uid:\\s+${process.getuid?.()}\\s`, 'm').test(status);
        return isOwn ? Number(/^Threads:\s+(\d+)/m.exec(status)?.[1]) : 0;
      } catch {
        return 0;
      }
    })
    .reduce((sum, count) => sum + count, 0);
}
