import { expect, test, vi } from 'vitest';
import { Sandbox } from '../../src/index.js';
import { findRemains } from './support/remains.js';

/** Waits a moment for the kernel, which removes a namespace's mounts and an ended process a little later. */
async function expectNothingLeft(before: ReturnType<typeof findRemains>) {
  await vi.waitFor(() => {
    const { descriptors, ...after } = findRemains();
    const { descriptors: descriptorsBefore, ...rest } = before;
    expect(after).toEqual(rest);
    expect(descriptors).toBeLessThanOrEqual(descriptorsBefore);
  }, 5_000);
}

/** What the first sandbox of a process opens for good: the native library, the signal pipe and so on. */
async function warmUp() {
  const sandbox = new Sandbox({ language: 'python' });
  await sandbox.run('print(1)');
  await sandbox.close();
  return findRemains();
}

test('sandboxes that were closed in every state leave nothing', async () => {
  const before = await warmUp();
  expect(before).toMatchObject({ supervisors: 0, orphans: [], groups: [] });

  for (let round = 0; round < 5; round++) {
    const [busy, starting, idle] = [1, 2, 3].map(() => new Sandbox({ language: 'python', concurrency: 2 })) as [
      Sandbox,
      Sandbox,
      Sandbox,
    ];
    await idle.run('open("/tmp/x", "w").write("x" * 100000)');
    const runs = [
      ...[
        'import os\nwhile True:\n  try: os.fork()\n  except OSError: pass',
        'import time; time.sleep(60)',
        'print(1)',
      ].map((code) => busy.run(code)),
      starting.run('print(1)'),
    ];
    await busy.ready();
    await Promise.all([busy.close(), starting.close(), idle.close()]);
    await Promise.all(runs);
  }
  await expectNothingLeft(before);
});

test('runs that ended in every way leave nothing', async () => {
  const before = await warmUp();
  const sandbox = new Sandbox({ language: 'python' });
  const endings = [
    ['exited', 'print(1)', {}],
    ['signaled', 'import os; os.abort()', {}],
    ['wall-limit', 'import time; time.sleep(60)', { wallMs: 200 }],
    ['cpu-limit', 'while True: pass', { cpuMs: 100 }],
    ['memory-limit', 'x = bytearray(1 << 30)', { memoryBytes: '64MiB' }],
    ['output-limit', 'while True: print("x" * 1000)', { onOutputLimit: 'kill' }],
    [
      'exited',
      'import os\nfor _ in range(5):\n  if os.fork() == 0:\n    os.setsid()\n    os.execv("/usr/bin/env", ["env", "sleep", "60"])',
      {},
    ],
  ] as const;
  for (const [reason, code, options] of endings) {
    expect((await sandbox.run(code, options)).reason, code).toBe(reason);
  }
  await sandbox.close();
  await expectNothingLeft(before);
});

test('a start that fails leaves nothing', async () => {
  const before = await warmUp();
  for (const options of [{ executable: '/no/such' }, { preload: ['no_such_module_here'] }]) {
    const sandbox = new Sandbox({ language: 'python', ...options });
    await expect(sandbox.ready()).rejects.toThrow();
    await expect(sandbox.run('1')).rejects.toThrow();
    await sandbox.close();
  }
  await expectNothingLeft(before);
});

test('ten thousand queued runs: none is lost, and nothing is left', { timeout: 300_000 }, async () => {
  const before = await warmUp();
  const sandbox = new Sandbox({ language: 'python' });
  await sandbox.ready();
  const count = 10_000;
  const runs = Array.from({ length: count }, (_, index) => sandbox.run(`print(${index})`, { wallMs: 60_000 }));
  expect(sandbox.running + sandbox.pending).toBe(count);
  const results = await Promise.all(runs);
  const wrong = results.filter(({ ok, stdout }, index) => !ok || stdout !== `${index}\n`);
  expect(wrong).toEqual([]);
  expect([sandbox.running, sandbox.pending]).toEqual([0, 0]);
  await sandbox.close();
  await expectNothingLeft(before);
});
