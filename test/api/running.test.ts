import { Readable } from 'node:stream';
import { afterAll, describe, expect, expectTypeOf, test, vi } from 'vitest';
import { type RunOptions, Sandbox, SandboxError } from '../../src/index.js';

const sandbox = new Sandbox({ language: 'python', env: { GREETING: 'hello', LANG: 'C.UTF-8' } });
afterAll(() => sandbox.close());

describe('a program', () => {
  test('runs, and the result says how', async () => {
    const result = await sandbox.run('print(sum(range(10)))');
    expect(result).toMatchObject({
      ok: true,
      reason: 'exited',
      exitCode: 0,
      signalName: null,
      stdout: '45\n',
      stderr: '',
      stdoutTruncated: false,
      stderrTruncated: false,
      skipped: [],
      denials: [],
    });
    expect(result.usage.wallMs).toBeGreaterThan(0);
    expect(result.usage.wallMs).toBeLessThan(2_000);
    expect(result.usage.cpuMs).toBeGreaterThan(0);
    expect(result.usage.memoryPeakBytes).toBeGreaterThan(100_000);
    expect(result.usage.memoryPeakBytes).toBeLessThan(256 << 20);
    expect(result.usage.queuedMs).toBeGreaterThanOrEqual(0);
    for (const guarantee of ['filesystem', 'network', 'processes', 'privileges', 'syscalls'] as const) {
      expect(result.isolation.guarantees[guarantee].state).toBe('enforced');
    }
  });

  test.each<[string, string, object]>([
    ['exit code 0', 'raise SystemExit', { ok: true, reason: 'exited', exitCode: 0 }],
    ['exit code 7', 'import sys; sys.exit(7)', { ok: false, reason: 'exited', exitCode: 7 }],
    ['exit code 255', 'import os; os._exit(255)', { ok: false, reason: 'exited', exitCode: 255 }],
    ['an exception', '1/0', { ok: false, reason: 'exited', exitCode: 1 }],
    ['a syntax error', 'print(', { ok: false, reason: 'exited', exitCode: 1 }],
    [
      'a segmentation fault',
      'import os, signal; os.kill(os.getpid(), signal.SIGSEGV)',
      { ok: false, reason: 'signaled', exitCode: null, signalName: 'SIGSEGV' },
    ],
    ['an abort', 'import os; os.abort()', { ok: false, reason: 'signaled', exitCode: null, signalName: 'SIGABRT' }],
  ])('ends with %s', async (_, code, outcome) => {
    expect(await sandbox.run(code)).toMatchObject(outcome);
  });

  test('has its own arguments and environment, and nothing of the host', async () => {
    process.env.HOST_SECRET = 'secret';
    const code = 'import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))';
    const args = ['-c', '--version', '', 'ä€😀', 'a\nb', '"$HOME"'];
    const { stdout } = await sandbox.run(code, { args, env: { GREETING: 'hi', ['__proto__']: 'x', EMPTY: '' } });
    const [argv, env] = JSON.parse(stdout) as [string[], Record<string, string>];
    expect(argv).toEqual(args);
    expect(Object.entries(env).toSorted()).toEqual(
      Object.entries({ GREETING: 'hi', LANG: 'C.UTF-8', ['__proto__']: 'x', EMPTY: '' }).toSorted(),
    );
    delete process.env.HOST_SECRET;
  });

  test('may be bytes, empty, large, or hold a NUL', async () => {
    expect((await sandbox.run(Buffer.from("print('bytes')"))).stdout).toBe('bytes\n');
    expect(await sandbox.run('')).toMatchObject({ ok: true, stdout: '' });
    // Some versions refuse it, some read up to it.
    expect((await sandbox.run('print("a")\0')).reason).toBe('exited');
    const large = `${`# ${'x'.repeat(1_000)}\n`.repeat(20_000)}print('end')`;
    expect((await sandbox.run(large, { wallMs: 30_000, memoryBytes: '1GiB' })).stdout).toBe('end\n');
  });

  test('knows nothing of the one before', async () => {
    await sandbox.run(
      'import os; open("/tmp/x", "w").write("1"); open("/work/x", "w").write("1"); os.environ["A"] = "1"',
    );
    const { stdout } = await sandbox.run(
      'import os; print(os.path.exists("/tmp/x"), os.path.exists("/work/x"), os.environ.get("A"))',
    );
    expect(stdout).toBe('False False None\n');
  });
});

describe('output', () => {
  test('comes as it is written', async () => {
    const heard: string[] = [];
    const run = sandbox.run('import sys, time\nprint("a", flush=True)\ntime.sleep(0.3)\nprint("b", file=sys.stderr)', {
      onStdout: (chunk) => heard.push(`out ${Buffer.from(chunk)}`),
      onStderr: (chunk) => heard.push(`err ${Buffer.from(chunk)}`),
    });
    const { value } = await run.stdout.getReader().read();
    expect(Buffer.from(value ?? []).toString()).toBe('a\n');
    expect(heard).toEqual(['out a\n']);
    expect(await run).toMatchObject({ stdout: 'a\n', stderr: 'b\n' });
    expect(heard).toEqual(['out a\n', 'err b\n']);
  });

  test('is bytes where asked for, and text with U+FFFD otherwise', async () => {
    const code = 'import sys; sys.stdout.buffer.write(bytes([0, 0xff, 0xc3, 0xa4]))';
    expect((await sandbox.run(code, { encoding: 'buffer' })).stdout).toEqual(Buffer.from([0, 0xff, 0xc3, 0xa4]));
    expect((await sandbox.run(code)).stdout).toBe('\0\ufffdä');
  });

  test('that looks like frames of the protocol stays output', async () => {
    const code = `import os\nframe = bytes([44, 0, 0, 0, 0x88, 0, 0, 0, 1, 0, 0, 0]) + bytes(44)\nfor fd in range(1, 64):\n  try: os.write(fd, frame)\n  except OSError: pass`;
    const { reason, stdout, stderr } = await sandbox.run(code, { encoding: 'buffer' });
    expect(reason).toBe('exited');
    expect([stdout.length, stderr.length]).toEqual([56, 56]);
  });

  test('of both streams, a megabyte each, arrives whole', async () => {
    const code = 'import sys\nfor _ in range(1024):\n  sys.stdout.write("o" * 1024)\n  sys.stderr.write("e" * 1024)';
    const result = await sandbox.run(code);
    expect(result.stdout).toBe('o'.repeat(1 << 20));
    expect(result.stderr).toBe('e'.repeat(1 << 20));
    expect([result.stdoutTruncated, result.stderrTruncated]).toEqual([false, false]);
  });

  test('a listener whose promise rejects ends its run, which rejects with that error', async () => {
    const run = sandbox.run('import time\nprint(1, flush=True)\ntime.sleep(30)', {
      wallMs: 40_000,
      onStdout: async () => {
        throw new Error('later');
      },
    });
    await expect(run).rejects.toThrow('later');
    expect((await sandbox.run('print(1)')).stdout).toBe('1\n');
  });

  test('the type of the text follows the encoding, as far as it is known', async () => {
    const options: RunOptions = { encoding: 'buffer' };
    expectTypeOf((await sandbox.run('')).stdout).toEqualTypeOf<string>();
    expectTypeOf((await sandbox.run('', { encoding: 'utf8' })).stdout).toEqualTypeOf<string>();
    expectTypeOf((await sandbox.run('', { encoding: 'buffer' })).stdout).toEqualTypeOf<Buffer>();
    expectTypeOf((await sandbox.run('', options)).stdout).toEqualTypeOf<string | Buffer>();
    expect(Buffer.isBuffer((await sandbox.run('', options)).stdout)).toBe(true);
  });

  test('of a listener that throws ends only its own run', async () => {
    const error = new Error('bad listener');
    const bad = sandbox.run('while True: print("x")', {
      onStdout: () => {
        throw error;
      },
    });
    const good = sandbox.run('print("fine")');
    await expect(bad).rejects.toBe(error);
    expect((await good).stdout).toBe('fine\n');
  });
});

describe('stdin', () => {
  const echo = 'import sys; data = sys.stdin.buffer.read(); print(len(data), sum(data) % 1000)';
  const expected = (bytes: Uint8Array) => `${bytes.length} ${bytes.reduce((sum, byte) => sum + byte, 0) % 1000}\n`;
  const bytes = Uint8Array.from({ length: 3_000_000 }, (_, index) => (index * 7) & 0xff);

  test('is empty by default', async () => {
    expect((await sandbox.run('print(repr(input()))')).stderr).toContain('EOFError');
    expect((await sandbox.run(echo)).stdout).toBe('0 0\n');
  });

  test.each<[string, () => string | Uint8Array | Readable | ReadableStream<Uint8Array>]>([
    ['text', () => 'ä€😀\n'.repeat(1_000)],
    ['bytes', () => bytes],
    [
      'a Readable',
      () => Readable.from([bytes.subarray(0, 1_000_000), bytes.subarray(1_000_000)], { objectMode: false }),
    ],
    ['a web stream', () => new Blob([bytes]).stream() as ReadableStream<Uint8Array>],
  ])('may be %s', async (name, make) => {
    const source = make();
    const whole = typeof source === 'string' ? Buffer.from(source) : bytes;
    expect((await sandbox.run(echo, { stdin: source as Uint8Array })).stdout, name).toBe(expected(whole));
  });

  test('is a conversation', async () => {
    const stdin = new Readable({ read: (() => undefined) as () => void });
    const run = sandbox.run('for line in iter(input, "bye"): print(line.upper(), flush=True)', { stdin });
    const reader = run.stdout.getReader();
    for (const word of ['hello', 'world']) {
      stdin.push(`${word}\n`);
      expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe(`${word.toUpperCase()}\n`);
    }
    stdin.push('bye\n');
    expect((await run).ok).toBe(true);
    await vi.waitFor(() => expect(stdin.destroyed).toBe(true));
  });

  test('that nobody reads holds nothing up, and an endless source is let go', async () => {
    let given = 0;
    const endless = new Readable({
      read(size) {
        given += size;
        this.push(Buffer.alloc(size));
      },
    });
    expect(await sandbox.run('print("done")', { stdin: endless })).toMatchObject({ ok: true, stdout: 'done\n' });
    await vi.waitFor(() => expect(endless.destroyed).toBe(true));
    expect(given).toBeLessThan(2 << 20);
    expect((await sandbox.run('import os; os.close(0); print("closed")', { stdin: bytes })).stdout).toBe('closed\n');
  });

  test('that fails rejects the run', async () => {
    const stdin = new Readable({ read: (() => undefined) as () => void });
    const run = sandbox.run(echo, { stdin });
    setTimeout(() => stdin.destroy(new Error('disk on fire')), 50);
    await expect(run).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining('disk on fire'),
    });
  });
});

describe('kill', () => {
  test('sends signals to the program', async () => {
    const run = sandbox.run(
      'import os, signal, time\nsignal.signal(signal.SIGUSR1, lambda *_: os.write(1, b"usr1\\n"))\nos.write(1, b"up\\n")\nwhile True: time.sleep(0.01)',
    );
    const reader = run.stdout.getReader();
    await reader.read();
    run.kill('SIGUSR1');
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('usr1\n');
    run.kill();
    expect(await run).toMatchObject({ ok: false, reason: 'signaled', signalName: 'SIGTERM', exitCode: null });
  });

  test('at once ends it as soon as it begins', async () => {
    await sandbox.ready();
    const run = sandbox.run('import time; time.sleep(10)');
    run.kill('SIGKILL');
    expect(await run).toMatchObject({ reason: 'signaled', signalName: 'SIGKILL' });
  });
});

describe('typed errors', () => {
  test('an interpreter that is not there', async () => {
    const missing = new Sandbox({ language: 'python', executable: '/no/such/python' });
    await expect(missing.run('1')).rejects.toMatchObject({
      code: 'interpreter-not-found',
      message: expect.stringContaining('/no/such/python'),
    });
    await missing.close();
  });

  test('a module that can not be preloaded says why', async () => {
    const broken = new Sandbox({ language: 'python', preload: ['no_such_module_here'] });
    const error = await broken.ready().catch((thrown) => thrown);
    expect(error).toBeInstanceOf(SandboxError);
    expect(error.code).toBe('spawn-failed');
    expect(error.message).toContain('no_such_module_here');
    await broken.close();
  });

  test('bad options start nothing', async () => {
    await expect(sandbox.run('1', { wallMs: Number.NaN })).rejects.toMatchObject({ code: 'invalid-option' });
    await expect(sandbox.run(['python3'])).rejects.toMatchObject({ code: 'invalid-option' });
  });
});

test('check tells what this machine can enforce', async () => {
  const { guarantees } = await Sandbox.check();
  expect(Object.keys(guarantees)).toEqual([
    'filesystem',
    'network',
    'processes',
    'privileges',
    'syscalls',
    'memory',
    'cpu',
  ]);
  for (const { state, by, remedy } of Object.values(guarantees)) {
    expect(by.length).toBeGreaterThan(0);
    expect(state === 'enforced' ? remedy : typeof remedy).toBe(state === 'enforced' ? undefined : 'string');
  }
});

test('preload imports modules before the runs', async () => {
  const loaded = new Sandbox({ language: 'python', preload: ['xml.dom.minidom', 'decimal'], concurrency: 1 });
  const { stdout } = await loaded.run('import sys; print("xml.dom.minidom" in sys.modules, "decimal" in sys.modules)');
  expect(stdout).toBe('True True\n');
  await loaded.close();
});

test('mounts are visible, read-only unless writable', async () => {
  const { mkdtempSync, readFileSync, rmSync, writeFileSync, chmodSync } = await import('node:fs');
  const directory = mkdtempSync('/var/tmp/pinfold-mount-');
  chmodSync(directory, 0o777);
  writeFileSync(`${directory}/data.txt`, 'data');
  const mounted = new Sandbox({
    language: 'python',
    mounts: [
      { source: directory, target: '/data' },
      { source: directory, target: '/output', writable: true },
    ],
  });
  const code = `print(open('/data/data.txt').read())
open('/output/new.txt', 'w').write('new')
try: open('/data/no.txt', 'w')
except OSError as error: print(error.errno)`;
  expect(await mounted.run(code)).toMatchObject({ stdout: 'data\n30\n', stderr: '' });
  expect(readFileSync(`${directory}/new.txt`, 'utf8')).toBe('new');
  await mounted.close();
  rmSync(directory, { recursive: true });
});
