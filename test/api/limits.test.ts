import { afterAll, describe, expect, test } from 'vitest';
import { Sandbox } from '../../src/index.js';

const sandbox = new Sandbox({ language: 'python' });
afterAll(() => sandbox.close());

describe('wallMs', () => {
  test('over: ended in time, with what was printed', async () => {
    const startedAt = performance.now();
    const result = await sandbox.run('import time\nprint("before", flush=True)\ntime.sleep(20)\nprint("after")', {
      wallMs: 300,
    });
    expect(result).toMatchObject({
      ok: false,
      reason: 'wall-limit',
      exitCode: null,
      signalName: 'SIGKILL',
      stdout: 'before\n',
    });
    expect(result.usage.wallMs).toBeGreaterThanOrEqual(299);
    expect(result.usage.wallMs).toBeLessThan(3_000);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });

  test('under: nothing', async () => {
    expect((await sandbox.run('import time; time.sleep(0.2)', { wallMs: 5_000 })).reason).toBe('exited');
  });

  test('holds against a program that ignores every signal, stops itself or hides in children', async () => {
    const ignore =
      'import signal\nfor s in range(1, 65):\n  try: signal.signal(s, signal.SIG_IGN)\n  except (OSError, ValueError): pass\nwhile True: pass';
    const stop = 'import os, signal; os.kill(os.getpid(), signal.SIGSTOP)';
    const hide =
      'import os, time\nif os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0: time.sleep(20)\ntime.sleep(20)';
    const runs = [ignore, stop, hide].map((code) => sandbox.run(code, { wallMs: 400, cpuMs: 10_000 }));
    for (const result of await Promise.all(runs)) {
      expect(result.reason).toBe('wall-limit');
      expect(result.usage.wallMs).toBeLessThan(3_000);
    }
  });
});

describe('cpuMs', () => {
  test('over: an endless loop', async () => {
    const { reason, ok, usage } = await sandbox.run('while True: pass', { cpuMs: 200, wallMs: 20_000 });
    expect({ reason, ok }).toEqual({ reason: 'cpu-limit', ok: false });
    expect(usage.cpuMs).toBeGreaterThanOrEqual(150);
    expect(usage.cpuMs).toBeLessThan(700);
  });

  test('over: four processes together', async () => {
    const code = 'import os\nfor _ in range(3):\n  if os.fork() == 0: break\nwhile True: pass';
    const { reason, usage } = await sandbox.run(code, { cpuMs: 400, wallMs: 20_000 });
    expect(reason).toBe('cpu-limit');
    expect(usage.cpuMs).toBeLessThan(1_200);
  });

  test('under: sleeping costs nothing', async () => {
    const result = await sandbox.run('import time; time.sleep(0.5)', { cpuMs: 200 });
    expect(result.reason).toBe('exited');
    expect(result.usage.cpuMs).toBeLessThan(200);
  });
});

describe('memoryBytes', () => {
  test('over: one hog', async () => {
    const result = await sandbox.run('print("before", flush=True)\nx = bytearray(400 << 20)\nprint("after")', {
      memoryBytes: '64MiB',
    });
    expect(result).toMatchObject({ ok: false, reason: 'memory-limit', stdout: 'before\n' });
    // The kernel keeps it exactly; the watchdog of an unprivileged user's sandbox may come late on a busy machine.
    const { state } = result.isolation.guarantees.memory;
    expect(result.usage.memoryPeakBytes).toBeLessThanOrEqual((state === 'enforced' ? 64 : 256) << 20);
  });

  test('over: bit by bit', async () => {
    const { reason } = await sandbox.run('x = []\nwhile True: x.append(bytearray(1 << 20))', { memoryBytes: '64MiB' });
    expect(reason).toBe('memory-limit');
  });

  test('over: processes that are small each', async () => {
    const code =
      'import os, time\nfor _ in range(5):\n  if os.fork() == 0: break\nx = bytearray(24 << 20)\ntime.sleep(3)';
    const { reason } = await sandbox.run(code, { memoryBytes: '64MiB', wallMs: 20_000 });
    expect(reason).toBe('memory-limit');
  });

  test('over: files in scratch', async () => {
    const code = 'f = open("/tmp/x", "wb")\nwhile True: f.write(bytes(1 << 20)); f.flush()';
    const { reason } = await sandbox.run(code, { memoryBytes: '64MiB', scratchBytes: '1GiB', wallMs: 20_000 });
    expect(reason).toBe('memory-limit');
  });

  test('under: nothing', async () => {
    const result = await sandbox.run('x = bytearray(32 << 20); print(len(x))', { memoryBytes: '128MiB' });
    expect(result).toMatchObject({ ok: true, stdout: `${32 << 20}\n` });
    expect(result.usage.memoryPeakBytes).toBeGreaterThan(32 << 20);
  });
});

describe('processes', () => {
  const bomb =
    'import os, time\nn = 0\ntry:\n  while os.fork() != 0: n += 1\n  time.sleep(5)\nexcept OSError as error:\n  print(n, error.errno)';

  test('over: no more than that many at once, EAGAIN inside', async () => {
    const { stdout, usage } = await sandbox.run(bomb, { processes: 10 });
    const [count, errno] = stdout.trim().split(' ').map(Number);
    expect(errno).toBe(11);
    expect(count).toBeLessThanOrEqual(10);
    expect(count).toBeGreaterThanOrEqual(6);
    if (usage.processesPeak !== null) expect(usage.processesPeak).toBeLessThanOrEqual(11);
  });

  test('over: a fork bomb is bounded, and a sibling runs on', async () => {
    const bombing = sandbox.run('import os\nwhile True:\n  try: os.fork()\n  except OSError: pass', {
      wallMs: 1_000,
      cpuMs: 20_000,
    });
    const sibling = sandbox.run('import os, time; time.sleep(0.3); print("fine")');
    expect((await sibling).stdout).toBe('fine\n');
    expect((await bombing).reason).toBe('wall-limit');
  });

  test('under: threads and processes work', async () => {
    const code =
      'import threading, os\nt = [threading.Thread(target=lambda: None) for _ in range(5)]\n[x.start() for x in t]; [x.join() for x in t]\nprint(os.waitpid(os.spawnlp(os.P_NOWAIT, "true", "true") if False else os.fork() or os._exit(3), 0)[1] >> 8)';
    expect((await sandbox.run(code, { processes: 16 })).stdout).toBe('3\n');
  });
});

describe('openFiles', () => {
  const code =
    'files = []\ntry:\n  while True: files.append(open("/dev/null"))\nexcept OSError as error: print(len(files), error.errno)';

  test('over: EMFILE inside', async () => {
    expect((await sandbox.run(code, { openFiles: 20 })).stdout).toBe('17 24\n');
    expect((await sandbox.run(code)).stdout).toBe('125 24\n');
  });
});

describe('outputBytes', () => {
  test('over: cut off and flagged, and the job goes on', async () => {
    const code = 'import sys\nsys.stdout.write("x" * 100_000)\nsys.stdout.flush()\nsys.stderr.write("done")';
    expect(await sandbox.run(code, { outputBytes: 1_000 })).toMatchObject({
      ok: true,
      stdout: 'x'.repeat(1_000),
      stderr: 'done',
      stdoutTruncated: true,
      stderrTruncated: false,
    });
  });

  test('exactly that much is not cut', async () => {
    const result = await sandbox.run('import sys; sys.stderr.write("x" * 1000)', { outputBytes: 1_000 });
    expect(result).toMatchObject({ stderr: 'x'.repeat(1_000), stderrTruncated: false });
    const none = await sandbox.run('', { outputBytes: 0 });
    expect(none).toMatchObject({ ok: true, stdout: '', stdoutTruncated: false });
  });

  test('a character that is cut becomes one U+FFFD', async () => {
    const { stdout, stdoutTruncated } = await sandbox.run('print("a" + "\u{1F600}" * 100)', { outputBytes: 7 });
    expect(stdout).toBe('a\u{1F600}\ufffd');
    expect(stdoutTruncated).toBe(true);
  });

  test("'kill' ends the job", async () => {
    const result = await sandbox.run('while True: print("x" * 1000)', { outputBytes: '64KiB', onOutputLimit: 'kill' });
    expect(result).toMatchObject({ ok: false, reason: 'output-limit', stdoutTruncated: true });
    expect(result.stdout).toHaveLength(65_536);
  });

  test('a flood of gigabytes leaves the memory of the host flat', async () => {
    const before = process.memoryUsage().rss;
    const code = 'import os\nblock = bytes(1 << 16)\nfor _ in range(1 << 14): os.write(1, block)';
    const result = await sandbox.run(code, { wallMs: 30_000, encoding: 'buffer' });
    expect(result).toMatchObject({ ok: true, stdoutTruncated: true });
    expect(result.stdout).toHaveLength(1 << 20);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 << 20);
  });
});

describe('scratchBytes', () => {
  const code = (bytes: number) =>
    `try:\n  with open("/tmp/x", "wb") as f: f.write(bytes(${bytes}))\n  print("written")\nexcept OSError as error: print(error.errno)`;

  test('over: ENOSPC inside', async () => {
    expect((await sandbox.run(code(2 << 20), { scratchBytes: '1MiB' })).stdout).toBe('28\n');
    expect((await sandbox.run(code(65 << 20))).stdout).toBe('28\n');
  });

  test('under: written', async () => {
    expect((await sandbox.run(code(1 << 20), { scratchBytes: '2MiB' })).stdout).toBe('written\n');
    expect((await sandbox.run(code(60 << 20))).stdout).toBe('written\n');
  });

  test('all directories together', async () => {
    const both =
      'total = 0\nfor d in ("/tmp", "/work", "/dev/shm"):\n  try:\n    f = open(d + "/x", "wb", buffering=0)\n    for _ in range(100): total += f.write(bytes(65536))\n  except OSError: pass\nprint(total)';
    expect(Number((await sandbox.run(both, { scratchBytes: '4MiB' })).stdout)).toBeLessThanOrEqual(4 << 20);
  });
});
