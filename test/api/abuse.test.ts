// What was once broken: each of these hung the sandbox, starved the host, or reached another run's result.
import { afterAll, describe, expect, test } from 'vitest';
import { Sandbox } from '../../src/index.js';
import { findDescendants, findSupervisors } from './support/remains.js';

const sandbox = new Sandbox({ language: 'python', concurrency: 2 });
afterAll(() => sandbox.close());

test('hundreds of spares at once: the supervisor and its zygote do not wait for each other', async () => {
  const crowded = new Sandbox({ language: 'python', concurrency: 600, warm: 600 });
  const runs = Array.from({ length: 600 }, (_, number) => crowded.run(`print(${number})`, { wallMs: 60_000 }));
  const results = await Promise.all(runs);
  expect(results.map((result) => result.stdout)).toEqual(runs.map((_, number) => `${number}\n`));
  await crowded.close();
}, 120_000);

test("signals in wait are few: they count for the host's user as well", async () => {
  const code = `
import ctypes, os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
libc, sent = ctypes.CDLL(None, use_errno=True), 0
while sent < 100_000 and libc.sigqueue(os.getpid(), signal.SIGRTMIN, None) == 0: sent += 1
print(sent, os.strerror(ctypes.get_errno()))`;
  expect((await sandbox.run(code)).stdout).toBe('1024 Resource temporarily unavailable\n');
});

test('what a run reads of the runtime is not charged to the next one', async () => {
  const reader = `
import os
for directory, _, names in os.walk('/usr/lib'):
  for name in names:
    try: open(os.path.join(directory, name), 'rb').read(1 << 20)
    except OSError: pass`;
  const alone = new Sandbox({ language: 'python', concurrency: 1, warm: 0 });
  await alone.run(reader, { wallMs: 60_000, cpuMs: 60_000 });
  const next = await alone.run('print(1)', { memoryBytes: '16MiB' });
  expect(next).toMatchObject({ reason: 'exited', stdout: '1\n' });
  expect(next.usage.memoryPeakBytes).toBeLessThan(16 << 20);
  await alone.close();
}, 90_000);

test('page tables are memory too', async () => {
  const code = `
import ctypes, mmap
libc, size = ctypes.CDLL(None), 100_000 << 21
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
start = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, -1, 0)
libc.madvise(start, size, 15)
for at in range(start, start + size, 1 << 21): ctypes.string_at(at, 1)
import time
time.sleep(5)`;
  expect((await sandbox.run(code, { memoryBytes: '64MiB', wallMs: 20_000 })).reason).toBe('memory-limit');
});

test('children whose end nobody waits for are counted', async () => {
  const code = `
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
  if os.fork() == 0:
    end = time.process_time() + 0.2
    while time.process_time() < end: pass
    os._exit(0)
  try: os.wait()
  except OSError: pass`;
  expect((await sandbox.run(code, { cpuMs: 1_000, wallMs: 20_000 })).reason).toBe('cpu-limit');
});

test("the host's umask is not the sandbox's", async () => {
  const before = process.umask(0o077);
  const private_ = new Sandbox({ language: 'python', warm: 0 });
  const result = await private_.run('import os; print(oct(os.umask(0)), os.listdir("/dev/shm"))');
  process.umask(before);
  expect(result.stdout).toBe('0o22 []\n');
  await private_.close();
});

describe('a supervisor that is stopped', () => {
  test('is noticed, and its runs settle', async () => {
    const before = findSupervisors();
    const stopped = new Sandbox({ language: 'python', concurrency: 1 });
    await stopped.ready();
    const supervisor = findSupervisors().find((pid) => !before.includes(pid)) ?? expect.fail('no supervisor');
    const started = new Promise((resolve) => stopped.once('start', resolve));
    const run = stopped.run('import time; time.sleep(60)', { wallMs: 500 });
    await started;
    const family = findDescendants(supervisor);
    expect(family).not.toEqual([]);
    process.kill(supervisor, 'SIGSTOP');
    await expect(run).rejects.toMatchObject({ code: 'supervisor-lost' });
    expect((await stopped.run('print(1)')).stdout).toBe('1\n');
    await stopped.close();
    expect(findSupervisors()).toEqual(before);
  });
});
