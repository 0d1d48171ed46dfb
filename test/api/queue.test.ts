import { afterAll, describe, expect, test, vi } from 'vitest';
import { Sandbox } from '../../src/index.js';

const sandbox = new Sandbox({ language: 'python', concurrency: 2 });
afterAll(() => sandbox.close());

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('abort', () => {
  test('before the start: no process', async () => {
    const idle = new Sandbox({ language: 'python' });
    const zygote = vi.fn();
    idle.on('zygote', zygote);
    expect((await idle.run('print(1)', { signal: AbortSignal.abort() })).reason).toBe('aborted');
    expect(zygote).not.toHaveBeenCalled();
    await idle.close();
  });

  test('while running: dead within 50 ms, with what was printed', async () => {
    const controller = new AbortController();
    const run = sandbox.run('import time\nprint("before", flush=True)\ntime.sleep(20)', {
      wallMs: 30_000,
      signal: controller.signal,
    });
    await run.stdout.getReader().read();
    const abortedAt = performance.now();
    controller.abort();
    expect(await run).toMatchObject({ ok: false, reason: 'aborted', exitCode: null, stdout: 'before\n' });
    expect(performance.now() - abortedAt).toBeLessThan(50);
  });

  test('while waiting: it never runs', async () => {
    const controller = new AbortController();
    const busy = [1, 2].map(() => sandbox.run('import time; time.sleep(0.3)'));
    const waiting = sandbox.run('print("ran")', { signal: controller.signal });
    expect([sandbox.running, sandbox.pending]).toEqual([2, 1]);
    controller.abort();
    expect(await waiting).toMatchObject({ reason: 'aborted', stdout: '', usage: { wallMs: 0, cpuMs: 0 } });
    expect([sandbox.running, sandbox.pending]).toEqual([2, 0]);
    await Promise.all(busy);
  });

  test('after the end: nothing', async () => {
    const controller = new AbortController();
    const result = await sandbox.run('print(1)', { signal: controller.signal });
    controller.abort();
    await pause(20);
    expect(result.reason).toBe('exited');
    expect((await sandbox.run('print(2)')).stdout).toBe('2\n');
  });
});

describe('concurrency', () => {
  test('is used, and not passed', async () => {
    await sandbox.ready();
    const code = 'import time; a = time.time(); time.sleep(0.2); print(a, time.time())';
    const results = await Promise.all([1, 2, 3, 4].map(() => sandbox.run(code)));
    const spans = results.map(({ stdout }) => stdout.trim().split(' ').map(Number) as [number, number]);
    const overlaps = spans.map(([start]) => spans.filter(([from, to]) => from <= start && start < to).length);
    expect(Math.max(...overlaps)).toBe(2);
    expect(results.filter(({ usage }) => usage.queuedMs >= 150)).toHaveLength(2);
  });

  test('maxQueue and priority', async () => {
    const small = new Sandbox({ language: 'python', concurrency: 1, maxQueue: 2 });
    const order: string[] = [];
    const start = (name: string, priority = 0) =>
      small.run('import time; time.sleep(0.05)', { priority }).then(() => order.push(name));
    const runs = [start('first'), start('usual'), start('high', 1)];
    await expect(small.run('1')).rejects.toMatchObject({ code: 'queue-full' });
    await Promise.all(runs);
    expect(order).toEqual(['first', 'high', 'usual']);
    await small.close();
  });
});

describe('close', () => {
  test('with runs in flight and waiting: every promise settles', async () => {
    const closing = new Sandbox({ language: 'python', concurrency: 2 });
    const runs = Array.from({ length: 6 }, () =>
      closing.run('print("up", flush=True)\nwhile True: pass', { wallMs: 30_000 }),
    );
    await Promise.all(runs.slice(0, 2).map((run) => run.stdout.getReader().read()));
    const startedAt = performance.now();
    await Promise.all([closing.close(), closing.close()]);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    const results = await Promise.all(runs);
    expect(results.map(({ reason }) => reason)).toEqual(Array.from({ length: 6 }, () => 'aborted'));
    expect(results.filter(({ stdout }) => stdout === 'up\n')).toHaveLength(2);
    await expect(closing.run('1')).rejects.toMatchObject({ code: 'closed' });
  });

  test('in the middle of the start', async () => {
    const closing = new Sandbox({ language: 'python' });
    const run = closing.run('print(1)');
    await closing.close();
    expect((await run).reason).toBe('aborted');
  });

  test('by await using', async () => {
    const disposed = new Sandbox({ language: 'python' });
    await disposed.run('print(1)');
    await disposed[Symbol.asyncDispose]();
    await expect(disposed.ready()).rejects.toMatchObject({ code: 'closed' });
  });
});

test('many sandboxes in one process do not disturb each other', async () => {
  const sandboxes = Array.from({ length: 8 }, () => new Sandbox({ language: 'python', concurrency: 1, warm: 1 }));
  const results = await Promise.all(
    sandboxes.flatMap((each, index) => [each.run(`print(${index})`), each.run(`print(${index})`)]),
  );
  expect(results.map(({ stdout }) => stdout)).toEqual(sandboxes.flatMap((_, index) => [`${index}\n`, `${index}\n`]));
  await Promise.all(sandboxes.map((each) => each.close()));
});

test('a job that crashes is not noticed by its siblings', async () => {
  const crash = sandbox.run('import os; os.abort()');
  const sibling = sandbox.run('import time; time.sleep(0.2); print("fine")');
  expect((await crash).reason).toBe('signaled');
  expect((await sibling).stdout).toBe('fine\n');
});
