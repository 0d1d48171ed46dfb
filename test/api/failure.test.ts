import { describe, expect, test, vi } from 'vitest';
import { Sandbox } from '../../src/index.js';
import { builtPackage, startHost } from './support/host.js';
import { findDescendants, findSupervisors, isAlive } from './support/remains.js';

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const FOREVER = 'print("up", flush=True)\\nwhile True: pass';

/** The supervisor of the only sandbox in use. */
function supervisorOf(before: readonly number[]): number {
  const [pid, ...others] = findSupervisors().filter((candidate) => !before.includes(candidate));
  expect(others).toEqual([]);
  return pid ?? expect.fail('no supervisor');
}

describe('the supervisor is killed', () => {
  test('while a job runs: supervisor-lost, nothing survives, and the next run works', async () => {
    const before = findSupervisors();
    const sandbox = new Sandbox({ language: 'python', concurrency: 1 });
    const errors: Error[] = [];
    sandbox.on('error', (error) => errors.push(error));
    const run = sandbox.run('print("up", flush=True)\nwhile True: pass', { wallMs: 30_000 });
    const waiting = sandbox.run('print("next")');
    await run.stdout.getReader().read();
    const pid = supervisorOf(before);
    const family = findDescendants(pid);
    expect(family.length).toBeGreaterThanOrEqual(2);
    process.kill(pid, 'SIGKILL');
    await expect(run).rejects.toMatchObject({ code: 'supervisor-lost' });
    expect((await waiting).stdout).toBe('next\n');
    await vi.waitFor(() => expect([pid, ...family].filter(isAlive)).toEqual([]), 5_000);
    expect(errors).toEqual([expect.objectContaining({ code: 'supervisor-lost' })]);
    expect((await sandbox.run('print(1)')).stdout).toBe('1\n');
    await sandbox.close();
    expect(findSupervisors()).toEqual(before);
  });

  test('while idle: the next run works', async () => {
    const before = findSupervisors();
    const sandbox = new Sandbox({ language: 'python', concurrency: 1 });
    const lost = new Promise((resolve) => sandbox.on('error', resolve));
    await sandbox.ready();
    process.kill(supervisorOf(before), 'SIGKILL');
    await lost;
    expect((await sandbox.run('print(1)')).stdout).toBe('1\n');
    await sandbox.close();
  });
});

test('the zygote is killed: every run has a result or a typed error, and the next one works', async () => {
  const before = findSupervisors();
  const sandbox = new Sandbox({ language: 'python', concurrency: 2 });
  const zygotes: number[] = [];
  sandbox.on('zygote', (event) => event.state === 'ready' && zygotes.push(event.pid));
  await sandbox.ready();
  const [zygote] = zygotes;
  expect(findDescendants(supervisorOf(before))).toContain(zygote);
  const running = sandbox.run('import time; time.sleep(0.3); print("fine")');
  await pause(50);
  process.kill(zygote ?? expect.fail('no zygote'), 'SIGKILL');
  const runs = [running, ...Array.from({ length: 6 }, () => sandbox.run('print("fine")'))];
  for (const outcome of await Promise.allSettled(runs)) {
    if (outcome.status === 'fulfilled') expect(outcome.value.stdout).toBe('fine\n');
    else expect(outcome.reason.code).toMatch(/^(supervisor-lost|spawn-failed|resources-exhausted)$/);
  }
  expect((await sandbox.run('print(1)')).stdout).toBe('1\n');
  expect(isAlive(zygote as number)).toBe(false);
  await sandbox.close();
});

describe('the host', () => {
  const sandboxWithJob = `
    const sandbox = new Sandbox({ language: 'python' });
    const run = sandbox.run('${FOREVER}', { wallMs: 60_000 });
    await run.stdout.getReader().read();
  `;

  test('is killed: nothing survives', async () => {
    const host = startHost(`${sandboxWithJob} console.log('up');`);
    await host.firstLine;
    const family = findDescendants(host.child.pid as number);
    expect(family.length).toBeGreaterThanOrEqual(3);
    host.child.kill('SIGKILL');
    await host.ended;
    await vi.waitFor(() => expect(family.filter(isAlive)).toEqual([]), 5_000);
  });

  test('exits in the middle of a run: nothing survives', async () => {
    const host = startHost(`${sandboxWithJob} console.log('up'); setTimeout(() => process.exit(3), 300);`);
    await host.firstLine;
    const family = findDescendants(host.child.pid as number);
    expect((await host.ended).code).toBe(3);
    await vi.waitFor(() => expect(family.filter(isAlive)).toEqual([]), 5_000);
  });

  test('has nothing more to do: it ends by itself, without close, and nothing survives', async () => {
    const host = startHost(`
      const sandbox = new Sandbox({ language: 'python' });
      const [{ stdout }] = await Promise.all([sandbox.run('print(1)'), sandbox.run('print(2)')]);
      process.stdout.write(stdout);
      setTimeout(() => {}, 300);
    `);
    await host.firstLine;
    const family = findDescendants(host.child.pid as number);
    expect(family.length).toBeGreaterThanOrEqual(2);
    const endedAt = performance.now();
    expect(await host.ended).toMatchObject({ code: 0, stdout: '1\n', stderr: '' });
    expect(performance.now() - endedAt).toBeLessThan(3_000);
    await vi.waitFor(() => expect(family.filter(isAlive)).toEqual([]), 5_000);
  });

  test('waits for what runs, and no longer', async () => {
    const host = startHost(`
      const sandbox = new Sandbox({ language: 'python', concurrency: 1 });
      for (const name of ['a', 'b']) sandbox.run('import time; time.sleep(0.2)').then(() => console.log(name));
    `);
    expect(await host.ended).toMatchObject({ code: 0, stdout: 'a\nb\n', stderr: '' });
  });

  test('burns no CPU while a sandbox is idle', async () => {
    const host = startHost(`
      const sandbox = new Sandbox({ language: 'python' });
      await sandbox.run('print(1)');
      await new Promise((resolve) => setTimeout(resolve, 500));
      const before = process.cpuUsage();
      console.log('idle');
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      const { user, system } = process.cpuUsage(before);
      console.log((user + system) / 1_000);
      await sandbox.close();
    `);
    await host.firstLine;
    const family = findDescendants(host.child.pid as number);
    const ticksOf = async (pid: number) => {
      const { readFileSync } = await import('node:fs');
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      return Number(fields[11]) + Number(fields[12]);
    };
    const before = await Promise.all(family.map(ticksOf));
    await pause(800);
    expect(await Promise.all(family.map(ticksOf))).toEqual(before);
    const { stdout } = await host.ended;
    expect(Number(stdout.split('\n')[1])).toBeLessThan(50);
  });

  test('gets no unhandled rejection from a sandbox that can not start, other than its own', async () => {
    const host = startHost(`
      const sandbox = new Sandbox({ language: 'python', executable: '/no/such' });
      const codes = await Promise.all([sandbox.run('1'), sandbox.run('2'), sandbox.ready()].map((p) => p.catch((e) => e.code)));
      console.log(codes.join());
      await sandbox.close();
    `);
    const code = 'interpreter-not-found';
    expect(await host.ended).toMatchObject({ code: 0, stdout: `${code},${code},${code}\n`, stderr: '' });
  });

  test('has no descriptors left: typed errors, and it recovers', async () => {
    const host = startHost(`
      import { closeSync, openSync } from 'node:fs';
      const sandbox = new Sandbox({ language: 'python' });
      await sandbox.run('1');
      const other = new Sandbox({ language: 'python' });
      const files = [];
      try { for (;;) files.push(openSync('/dev/null')); } catch {}
      const code = await other.run('print(1)').catch((error) => error.code);
      console.log(code, (await sandbox.run('print(2)')).stdout.trim());
      for (const file of files) closeSync(file);
      console.log((await other.run('print(3)')).stdout.trim());
      await other.close();
      await sandbox.close();
    `);
    expect(await host.ended).toMatchObject({ code: 0, stdout: 'resources-exhausted 2\n3\n', stderr: '' });
  });
});

describe('in a worker', () => {
  const startWorker = (script: string, then: string) =>
    startHost(`
      import { Worker } from 'node:worker_threads';
      const worker = new Worker(${JSON.stringify(
        `import(${JSON.stringify(builtPackage)}).then(async ({ Sandbox }) => {
          const { parentPort } = require('node:worker_threads');
          ${script}
        });`,
      )}, { eval: true, execArgv: [] });
      worker.on('error', (error) => { console.error(error); process.exit(9); });
      const next = () => new Promise((resolve) => worker.once('message', resolve));
      ${then}
    `);

  test('it runs, and closes', async () => {
    const host = startWorker(
      `const sandbox = new Sandbox({ language: 'python' });
       parentPort.postMessage((await sandbox.run('print(1)')).stdout);
       await sandbox.close();`,
      `process.stdout.write(await next());`,
    );
    expect(await host.ended).toMatchObject({ code: 0, stdout: '1\n', stderr: '' });
  });

  test('several at once, and the main thread too', async () => {
    const host = startHost(`
      import { Worker } from 'node:worker_threads';
      const code = ${JSON.stringify(
        `import(${JSON.stringify(builtPackage)}).then(async ({ Sandbox }) => {
          const sandbox = new Sandbox({ language: 'python', concurrency: 1 });
          require('node:worker_threads').parentPort.postMessage((await sandbox.run('print(1)')).stdout);
          await sandbox.close();
        });`,
      )};
      const workers = [1, 2, 3].map(() => new Worker(code, { eval: true, execArgv: [] }));
      const sandbox = new Sandbox({ language: 'python', concurrency: 1 });
      const outputs = await Promise.all([
        ...workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))),
        sandbox.run('print(1)').then(({ stdout }) => stdout),
      ]);
      console.log(outputs.join('').replaceAll('\\n', ''));
      await sandbox.close();
    `);
    expect(await host.ended).toMatchObject({ code: 0, stdout: '1111\n', stderr: '' });
  });

  test('that is terminated: its jobs die, and the other threads are not disturbed', async () => {
    const host = startWorker(
      `const sandbox = new Sandbox({ language: 'python' });
       const run = sandbox.run('${FOREVER}', { wallMs: 60_000 });
       await run.stdout.getReader().read();
       parentPort.postMessage('up');`,
      `await next();
       const sandbox = new Sandbox({ language: 'python' });
       await sandbox.ready();
       console.log('up');
       await new Promise((resolve) => process.stdin.once('data', resolve));
       await worker.terminate();
       console.log((await sandbox.run('print("fine")')).stdout.trim());
       await new Promise((resolve) => setTimeout(resolve, 500));
       console.log((await sandbox.run('print("still fine")')).stdout.trim());
       await sandbox.close();
       process.exit(0);`,
    );
    await host.firstLine;
    const family = findDescendants(host.child.pid as number);
    expect(family.length).toBeGreaterThanOrEqual(5);
    host.child.stdin.write('go\n');
    expect(await host.ended).toMatchObject({ code: 0, stdout: 'up\nfine\nstill fine\n', stderr: '' });
    await vi.waitFor(() => expect(family.filter(isAlive)).toEqual([]), 5_000);
  });
});
