import { Readable } from 'node:stream';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { SandboxError } from '../../src/errors.js';
import { reportReadiness } from '../../src/isolation.js';
import type { SandboxOptions } from '../../src/options.js';
import { Sandbox } from '../../src/sandbox.js';
import { diligent, FakeNative, obliging } from './support/fake-supervisor.js';
import * as wire from './support/wire.js';

const fake = vi.hoisted(() => ({ native: undefined as unknown }));

vi.mock('../../src/native.js', () => ({ loadNative: async () => fake.native }));
vi.mock('../../src/languages/python.js', async () => {
  const { FakeLanguage } = await import('./support/fake-language.js');
  return { python: new FakeLanguage() };
});

vi.setConfig({ testTimeout: 10_000 });

const { kinds } = wire;
let native: FakeNative;

beforeEach(() => {
  native = new FakeNative();
  fake.native = native;
});

const make = (options: SandboxOptions = {}) => new Sandbox({ language: 'python', concurrency: 2, ...options });
const turn = () => new Promise((resolve) => setImmediate(resolve));
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'resolved',
    (error: unknown) => (error instanceof SandboxError ? error.code : error),
  );

describe('the start', () => {
  test('is not before the first run, then asks, configures and dispatches', async () => {
    const sandbox = make({ warm: 3, limits: { scratchBytes: '1MiB' }, env: { A: '1' } });
    await turn();
    expect(native.supervisors).toHaveLength(0);

    const run = sandbox.run('print(1)', { wallMs: 7, args: ['x'], env: { B: '2' } });
    const supervisor = await native.supervisor();
    const number = await supervisor.nextRun();
    expect(supervisor.frames.map(({ kind }) => kind)).toEqual([kinds.ASK, kinds.CONFIGURE, kinds.RUN]);
    const ask = wire.decodeAsk((await supervisor.next(kinds.ASK)).payload);
    expect(ask).toMatchObject({ cwd: process.cwd(), argv: ['/usr/bin/interpreter', '--where'] });
    expect(ask.env).toContain(`PATH=${process.env.PATH}`);

    const configuration = wire.decodeConfigure((await supervisor.next(kinds.CONFIGURE)).payload);
    expect(configuration).toMatchObject({
      protocolVersion: 1,
      packageVersion: '0.1.0',
      flags: 0,
      warm: 3,
      scratchBytes: 1 << 20,
      executable: '/usr/bin/interpreter',
      argv: ['interpreter', 'here'],
      env: ['LANG=C.UTF-8'],
    });
    expect(configuration.filter.length % 8).toBe(0);
    expect(configuration.filter.length).toBeGreaterThan(0);
    expect(configuration.filter.length / 8).toBeLessThanOrEqual(4_096);

    const order = wire.decodeRun((supervisor.of(kinds.RUN)[0] as wire.HostFrame).payload);
    expect(order).toMatchObject({ wallNs: 7_000_000, cpuNs: 7_000_000, scratchBytes: 1 << 20, flags: 0 });
    expect(order.task.includes('print(1)')).toBe(true);
    expect(order.task.includes('A=1')).toBe(true);
    expect(order.task.includes('B=2')).toBe(true);
    supervisor.finish(number, '1\n');
    expect(await run).toMatchObject({ ok: true, stdout: '1\n' });
    await sandbox.close();
  });

  test('happens once for many runs and ready()', async () => {
    native.behaviour = diligent;
    const sandbox = make();
    await Promise.all([sandbox.ready(), sandbox.run('1'), sandbox.run('2'), sandbox.ready(), sandbox.run('3')]);
    expect(native.supervisors).toHaveLength(1);
    expect(native.supervisors[0]?.of(kinds.CONFIGURE)).toHaveLength(1);
    await sandbox.close();
  });

  test('ready() gives the report of what is enforced', async () => {
    const sandbox = make();
    const report = await sandbox.ready();
    expect(report).toEqual(
      reportReadiness(
        {
          supervisorPid: 100,
          zygotePid: 101,
          landlockAbi: 7,
          memoryBy: 'cgroup v2',
          cpuBy: 'cgroup v2',
          processesBy: 'cgroup v2',
          ownUid: true,
          denialsTold: true,
        },
        false,
      ),
    );
    await sandbox.close();
  });

  test.each<[string, Partial<Parameters<typeof wire.failed>[1]>, string, string]>([
    [
      'isolation',
      { stage: 2, stepName: 'mount-namespace', errno: 1 },
      'isolation-unavailable',
      'mount-namespace failed: EPERM',
    ],
    [
      'the interpreter',
      { stage: 3, stepName: 'exited', errno: 0, detail: 'no module named x' },
      'spawn-failed',
      'no module named x',
    ],
    ['resources', { stage: 2, stepName: 'user-namespace', errno: 11 }, 'resources-exhausted', 'EAGAIN'],
  ])(
    'FAILED for want of %s rejects every waiting run with a typed error, and the next run tries again',
    async (_, failure, code, text) => {
      native.behaviour = (supervisor, frame) => {
        if (frame.kind === kinds.CONFIGURE) supervisor.send(wire.failed(0, failure));
        else obliging(supervisor, frame);
      };
      const sandbox = make();
      const errors = await Promise.all(
        [sandbox.run('1'), sandbox.run('2'), sandbox.ready()].map((promise) => promise.catch((error) => error)),
      );
      for (const error of errors) {
        expect(error).toBeInstanceOf(SandboxError);
        expect(error.code).toBe(code);
        expect(error.message).toContain(text);
      }
      await vi.waitFor(() => expect(native.reaped).toHaveLength(native.supervisors.length));
      native.behaviour = diligent;
      expect((await sandbox.run('3')).ok).toBe(true);
      await sandbox.close();
    },
  );

  test('a start that is refused is told as it is', async () => {
    native.startError = new SandboxError('resources-exhausted', 'EMFILE');
    const sandbox = make();
    expect(await codeOf(sandbox.run('1'))).toBe('resources-exhausted');
    native.startError = undefined;
    native.behaviour = diligent;
    expect((await sandbox.run('1')).ok).toBe(true);
    await sandbox.close();
  });

  test('an interpreter that is not found', async () => {
    native.behaviour = (supervisor, { kind, run }) => {
      if (kind === kinds.ASK) supervisor.send(wire.answer(run, { errno: 2 }));
    };
    const sandbox = make();
    expect(await codeOf(sandbox.run('1'))).toBe('interpreter-not-found');
    expect(native.reaped).toHaveLength(1);
    await sandbox.close();
  });

  test.each<[string, number]>([
    ['while a question is open', kinds.ASK],
    ['before READY', kinds.CONFIGURE],
  ])('a supervisor that dies %s is spawn-failed', async (_, kind) => {
    native.behaviour = (supervisor, frame) => (frame.kind === kind ? supervisor.die() : obliging(supervisor, frame));
    const sandbox = make();
    expect(await codeOf(sandbox.ready())).toBe('spawn-failed');
    expect(native.sweeps).toBe(1);
    await sandbox.close();
  });

  test('READY before CONFIGURE is a breach', async () => {
    native.behaviour = (supervisor) => supervisor.send(wire.ready());
    const sandbox = make();
    await expect(sandbox.ready()).rejects.toMatchObject({
      code: 'spawn-failed',
      message: expect.stringContaining('before CONFIGURE'),
    });
    await sandbox.close();
  });

  test('guarantees that are required and only partial refuse the start', async () => {
    native.behaviour = (supervisor, frame) => {
      if (frame.kind === kinds.CONFIGURE) supervisor.send(wire.ready({ memoryBy: 3 }));
      else obliging(supervisor, frame);
    };
    const strict = make({ require: ['memory'] });
    const error = await strict.run('1').catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'isolation-unavailable', message: expect.stringContaining("'memory'") });
    expect(native.supervisors[0]?.of(kinds.RUN)).toHaveLength(0);
    await strict.close();

    const usual = make();
    expect((await usual.ready()).guarantees.memory).toMatchObject({ state: 'partial', by: ['watchdog'] });
    await usual.close();
  });

  test('without READY it is given up after a minute, and the process is killed', async () => {
    native.behaviour = (supervisor, frame) => (frame.kind === kinds.ASK ? obliging(supervisor, frame) : undefined);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
    try {
      const sandbox = make();
      const outcome = codeOf(sandbox.ready());
      const supervisor = await native.supervisor();
      await supervisor.next(kinds.CONFIGURE);
      vi.advanceTimersByTime(60_000);
      expect(kill).toHaveBeenCalledWith(2 ** 30 + 1, 'SIGKILL');
      vi.useRealTimers();
      expect(await outcome).toBe('spawn-failed');
      await sandbox.close();
    } finally {
      kill.mockRestore();
      vi.useRealTimers();
    }
  });
});

describe('check', () => {
  test('gives the report and leaves nothing', async () => {
    const report = await Sandbox.check();
    expect(report.guarantees.filesystem.state).toBe('enforced');
    expect(native.reaped).toHaveLength(1);
  });

  test('isolation that is missing is in the report', async () => {
    native.behaviour = (supervisor, frame) => {
      if (frame.kind === kinds.CONFIGURE) supervisor.send(wire.failed(0, { stepName: 'network-namespace', errno: 1 }));
      else obliging(supervisor, frame);
    };
    const { guarantees } = await Sandbox.check({ language: 'python', require: ['memory'] });
    expect(guarantees.network).toMatchObject({ state: 'absent', by: [], remedy: expect.stringContaining('EPERM') });
    expect(native.reaped).toHaveLength(1);
  });

  test('other faults are thrown', async () => {
    native.behaviour = (supervisor, { kind, run }) => {
      if (kind === kinds.ASK) supervisor.send(wire.answer(run, { errno: 2 }));
    };
    expect(await codeOf(Sandbox.check())).toBe('interpreter-not-found');
    expect(await codeOf(Sandbox.check({ language: 'node' }))).toBe('invalid-option');
    expect(native.reaped).toHaveLength(1);
  });
});

describe('bad input', () => {
  test('of the constructor throws, of run rejects, and no process is started', async () => {
    expect(() => new Sandbox()).toThrow(expect.objectContaining({ code: 'invalid-option' }));
    expect(() => make({ concurrency: 0 })).toThrow(SandboxError);
    const sandbox = make();
    const run = sandbox.run('1', { wallMs: -1 });
    await expect(run).rejects.toMatchObject({ code: 'invalid-option', message: expect.stringContaining('wallMs') });
    await expect(run.stdout.getReader().read()).rejects.toMatchObject({ code: 'invalid-option' });
    await expect(sandbox.run(['python3', 'x.py'])).rejects.toMatchObject({ code: 'invalid-option' });
    await expect(sandbox.run('1', { args: ['x'.repeat(50 << 20), 'y'.repeat(50 << 20)] })).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining('code, args and env come to'),
    });
    expect([sandbox.pending, sandbox.running]).toEqual([0, 0]);
    expect(native.supervisors).toHaveLength(0);
    await sandbox.close();
  });

  test('on another platform there are no sandboxes', () => {
    const platform = vi.spyOn(process, 'platform', 'get').mockReturnValue('darwin');
    try {
      expect(() => make()).toThrow(
        expect.objectContaining({ code: 'unsupported-platform', message: expect.stringContaining('darwin') }),
      );
    } finally {
      platform.mockRestore();
    }
  });
});

describe('a result', () => {
  test('is what the supervisor measured', async () => {
    const sandbox = make();
    const run = sandbox.run('x');
    const supervisor = await native.supervisor();
    const number = await supervisor.nextRun();
    supervisor.send(
      wire.started(number),
      wire.stdout(number, 'o1'),
      wire.stderr(number, 'e'),
      wire.stdout(number, 'o2'),
    );
    supervisor.send(
      wire.end(number, {
        reason: wire.reasonNumbers.denied,
        exitCode: -1,
        signal: 31,
        flags: 2,
        processesPeak: 5,
        wallNs: 12_345_678,
        cpuNs: 1_000_000,
        memoryPeakBytes: 4_096,
        denials: [
          { number: 165, count: 3 },
          { number: 100_000, count: 1 },
        ],
      }),
    );
    const result = await run;
    expect(result).toMatchObject({
      ok: false,
      reason: 'denied',
      exitCode: null,
      signalName: 'SIGSYS',
      stdout: 'o1o2',
      stderr: 'e',
      stdoutTruncated: false,
      stderrTruncated: true,
      skipped: [],
      usage: { wallMs: 12.345678, cpuMs: 1, memoryPeakBytes: 4_096, processesPeak: 5, queuedMs: expect.any(Number) },
      denials: [
        { syscall: process.arch === 'x64' ? 'mount' : 'getrusage', count: 3 },
        { syscall: 'syscall 100000', count: 1 },
      ],
    });
    expect(Object.getPrototypeOf(result.files)).toBeNull();
    expect(Object.keys(result.files)).toEqual([]);
    expect('value' in result).toBe(false);
    expect(result.isolation).toEqual(await sandbox.ready());
    await sandbox.close();
  });

  test.each([
    [0, true],
    [1, false],
    [255, false],
  ])('exit code %d: ok %s', async (exitCode, ok) => {
    native.behaviour = (supervisor, frame) => {
      obliging(supervisor, frame);
      if (frame.kind === kinds.RUN) supervisor.finish(frame.run, '', { exitCode });
    };
    const sandbox = make();
    expect(await sandbox.run('x')).toMatchObject({ reason: 'exited', exitCode, signalName: null, ok });
    await sandbox.close();
  });

  test("encoding 'buffer' gives Buffers, 'utf8' replaces what is no UTF-8", async () => {
    native.behaviour = (supervisor, frame) => {
      obliging(supervisor, frame);
      if (frame.kind !== kinds.RUN) return;
      supervisor.send(wire.started(frame.run), wire.stdout(frame.run, Buffer.from([0x61, 0xff])), wire.end(frame.run));
    };
    const sandbox = make();
    const { stdout, stderr } = await sandbox.run('x', { encoding: 'buffer' });
    expect(Buffer.isBuffer(stdout) && Buffer.isBuffer(stderr)).toBe(true);
    expect(stdout).toEqual(Buffer.from([0x61, 0xff]));
    expect((await sandbox.run('x')).stdout).toBe('a\ufffd');
    await sandbox.close();
  });

  test('results share nothing with each other', async () => {
    native.behaviour = diligent;
    const sandbox = make();
    const [one, two] = await Promise.all([sandbox.run('1'), sandbox.run('2')]);
    one.isolation.guarantees.cpu.by.push('x');
    one.denials.push({ syscall: 'x', count: 1 });
    expect(two.isolation.guarantees.cpu.by).not.toContain('x');
    expect(two.denials).toEqual([]);
    await sandbox.close();
  });
});

describe('a run', () => {
  test('is a promise like any other, with an id of its own', async () => {
    native.behaviour = diligent;
    const sandbox = make();
    const run = sandbox.run('1');
    expect(run).toBeInstanceOf(Promise);
    expect(run.then((result) => result.ok)).toBeInstanceOf(Promise);
    expect(await run.then(({ ok }) => ok)).toBe(true);
    expect(await run.finally(() => {})).toBe(await run);
    expect(await Promise.all([run, run.catch(() => {})])).toEqual([await run, await run]);
    expect(await Promise.race([run])).toBe(await run);
    const other = sandbox.run('1');
    expect(run.id).toBeTypeOf('string');
    expect(other.id).not.toBe(run.id);
    await other;
    await sandbox.close();
  });

  test('gives its output as it comes, to listeners and streams, also to those that are late', async () => {
    const sandbox = make();
    const heard: string[] = [];
    const run = sandbox.run('1', {
      onStdout: (chunk) => heard.push(`out ${Buffer.from(chunk)}`),
      onStderr: (chunk) => heard.push(`err ${Buffer.from(chunk)}`),
    });
    const { stdout } = run;
    const reader = stdout.getReader();
    const supervisor = await native.supervisor();
    const number = await supervisor.nextRun();
    supervisor.send(wire.started(number), wire.stdout(number, 'a'));
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('a');
    supervisor.send(wire.stderr(number, 'b'), wire.stdout(number, 'c'));
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('c');
    expect(heard).toEqual(['out a', 'err b', 'out c']);
    supervisor.send(wire.end(number));
    await run;
    expect((await reader.read()).done).toBe(true);
    const late: Uint8Array[] = [];
    for await (const chunk of run.stderr) late.push(chunk);
    expect(Buffer.concat(late).toString()).toBe('b');
    expect(run.stdout).toBe(stdout);
    await sandbox.close();
  });

  test('FAILED rejects that run alone', async () => {
    const sandbox = make();
    const [one, two] = [sandbox.run('1'), sandbox.run('2')];
    const supervisor = await native.supervisor();
    supervisor.send(wire.failed(await supervisor.nextRun(), { stage: 4, stepName: 'scratch', errno: 12 }));
    supervisor.finish(await supervisor.nextRun());
    expect(await codeOf(one)).toBe('resources-exhausted');
    expect((await two).ok).toBe(true);
    await sandbox.close();
  });

  test('kill sends a signal once the code began, holds it until then, and refuses what is none', async () => {
    const sandbox = make();
    const run = sandbox.run('1');
    expect(() => run.kill('SIGNONE' as NodeJS.Signals)).toThrow(expect.objectContaining({ code: 'invalid-option' }));
    const supervisor = await native.supervisor();
    const number = await supervisor.nextRun();
    run.kill();
    await turn();
    expect(supervisor.of(kinds.SIGNAL)).toEqual([]);
    supervisor.send(wire.started(number));
    expect((await supervisor.next(kinds.SIGNAL)).payload.readUInt32LE()).toBe(15);
    run.kill('SIGUSR1');
    expect((await supervisor.next(kinds.SIGNAL)).payload.readUInt32LE()).toBe(10);
    supervisor.send(wire.end(number, { reason: wire.reasonNumbers.signaled, exitCode: -1, signal: 15 }));
    expect(await run).toMatchObject({ reason: 'signaled', signalName: 'SIGTERM' });
    run.kill();
    await turn();
    expect(supervisor.of(kinds.SIGNAL)).toHaveLength(2);
    await sandbox.close();
  });
});

describe('stdin', () => {
  test('is announced, and sent as credit allows', async () => {
    const sandbox = make();
    const run = sandbox.run('1', { stdin: 'hello' });
    const supervisor = await native.supervisor();
    const number = await supervisor.nextRun();
    expect(wire.decodeRun((supervisor.of(kinds.RUN)[0] as wire.HostFrame).payload).flags).toBe(2);
    supervisor.send(wire.started(number), wire.stdinCredit(number, 3));
    expect((await supervisor.next(kinds.STDIN)).payload.toString()).toBe('hel');
    supervisor.send(wire.stdinCredit(number, 3));
    expect((await supervisor.next(kinds.STDIN)).payload.toString()).toBe('lo');
    await supervisor.next(kinds.STDIN_END);
    supervisor.send(wire.end(number));
    await run;
    await sandbox.close();
  });

  test('a stream is destroyed when the job reads no more', async () => {
    const sandbox = make();
    const stdin = new Readable({ read: (() => undefined) as () => void });
    const run = sandbox.run('1', { stdin });
    const supervisor = await native.supervisor();
    const number = await supervisor.nextRun();
    supervisor.send(wire.started(number), wire.stdinClosed(number));
    await vi.waitFor(() => expect(stdin.destroyed).toBe(true));
    supervisor.send(wire.end(number));
    expect((await run).ok).toBe(true);
    await sandbox.close();
  });

  test('a stream that fails ends the run, which rejects once it is reaped', async () => {
    const sandbox = make();
    const stdin = new Readable({ read: (() => undefined) as () => void });
    const run = sandbox.run('1', { stdin });
    run.catch(() => {});
    const supervisor = await native.supervisor();
    const number = await supervisor.nextRun();
    native.behaviour = () => {};
    supervisor.send(wire.started(number), wire.stdinCredit(number, 10));
    await turn();
    stdin.destroy(new Error('disk on fire'));
    await supervisor.next(kinds.ABORT);
    expect(sandbox.running).toBe(1);
    supervisor.send(wire.end(number, wire.abortedEnd));
    await expect(run).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining('disk on fire'),
    });
    native.behaviour = obliging;
    await sandbox.close();
  });

  test('of a run that never begins is let go', async () => {
    const sandbox = make({ concurrency: 1 });
    const stdin = new Readable({ read: (() => undefined) as () => void });
    const first = sandbox.run('1');
    const controller = new AbortController();
    const second = sandbox.run('2', { stdin, signal: controller.signal });
    controller.abort();
    expect((await second).reason).toBe('aborted');
    expect(stdin.destroyed).toBe(true);
    await sandbox.close();
    expect((await first).reason).toBe('aborted');
  });
});

describe('abort', () => {
  test('before the call: no process', async () => {
    const sandbox = make();
    expect(await sandbox.run('1', { signal: AbortSignal.abort() })).toEqual({
      ok: false,
      reason: 'aborted',
      exitCode: null,
      signalName: null,
      stdout: '',
      stderr: '',
      stdoutTruncated: false,
      stderrTruncated: false,
      files: Object.create(null),
      skipped: [],
      usage: { wallMs: 0, cpuMs: 0, memoryPeakBytes: 0, processesPeak: 0, queuedMs: expect.any(Number) },
      denials: [],
      isolation: expect.objectContaining({ guarantees: expect.any(Object) }),
    });
    expect(native.supervisors).toHaveLength(0);
    await sandbox.close();
  });

  test('while waiting: it never starts, and its place is free', async () => {
    const sandbox = make({ concurrency: 1, maxQueue: 1 });
    const first = sandbox.run('1');
    const controller = new AbortController();
    const second = sandbox.run('2', { signal: controller.signal });
    expect(await codeOf(sandbox.run('3'))).toBe('queue-full');
    controller.abort();
    expect((await second).reason).toBe('aborted');
    expect(sandbox.pending).toBe(0);
    const third = sandbox.run('3');
    third.kill();
    expect((await third).reason).toBe('aborted');
    const fourth = sandbox.run('4');
    const supervisor = await native.supervisor();
    supervisor.finish(await supervisor.nextRun());
    await first;
    supervisor.finish(await supervisor.nextRun(), 'fourth');
    expect((await fourth).stdout).toBe('fourth');
    expect(supervisor.of(kinds.RUN)).toHaveLength(2);
    await sandbox.close();
  });

  test('while the supervisor starts: at once', async () => {
    native.behaviour = () => {};
    const sandbox = make();
    const controller = new AbortController();
    const run = sandbox.run('1', { signal: controller.signal });
    const supervisor = await native.supervisor();
    await supervisor.next(kinds.ASK);
    controller.abort();
    expect((await run).reason).toBe('aborted');
    await sandbox.close();
    expect(supervisor.of(kinds.RUN)).toHaveLength(0);
  });

  test('while running: the job is killed, and the slot is free only after its END', async () => {
    const sandbox = make({ concurrency: 1 });
    const controller = new AbortController();
    const run = sandbox.run('1', { signal: controller.signal });
    const next = sandbox.run('2');
    const supervisor = await native.supervisor();
    const number = await supervisor.nextRun();
    native.behaviour = () => {};
    supervisor.send(wire.started(number), wire.stdout(number, 'partial'));
    await turn();
    controller.abort();
    controller.abort();
    expect((await supervisor.next(kinds.ABORT)).run).toBe(number);
    await pause(20);
    expect([sandbox.running, sandbox.pending]).toEqual([1, 1]);
    expect(supervisor.of(kinds.RUN)).toHaveLength(1);
    supervisor.send(wire.end(number, wire.abortedEnd));
    expect(await run).toMatchObject({ reason: 'aborted', ok: false, stdout: 'partial', signalName: 'SIGKILL' });
    supervisor.finish(await supervisor.nextRun());
    expect((await next).ok).toBe(true);
    expect(supervisor.of(kinds.ABORT)).toHaveLength(1);
    native.behaviour = obliging;
    await sandbox.close();
  });

  test('after the end: nothing, and no listener is left', async () => {
    native.behaviour = diligent;
    const sandbox = make();
    const controller = new AbortController();
    const remove = vi.spyOn(controller.signal, 'removeEventListener');
    const result = await sandbox.run('1', { signal: controller.signal });
    expect(remove).toHaveBeenCalledOnce();
    controller.abort();
    await turn();
    expect(result.reason).toBe('exited');
    expect(native.supervisors[0]?.of(kinds.ABORT)).toHaveLength(0);
    await sandbox.close();
  });

  test('one signal for hundreds of runs gives no warning', async () => {
    native.behaviour = diligent;
    const warnings: unknown[] = [];
    const listen = (warning: Error) => warnings.push(warning);
    process.on('warning', listen);
    const sandbox = make();
    const controller = new AbortController();
    const runs = Array.from({ length: 300 }, () => sandbox.run('1', { signal: controller.signal }));
    controller.abort();
    const reasons = (await Promise.all(runs)).map(({ reason }) => reason);
    expect(reasons.every((reason) => reason === 'aborted')).toBe(true);
    await sandbox.close();
    await pause(10);
    process.off('warning', listen);
    expect(warnings).toEqual([]);
  });
});

describe('the queue', () => {
  test('concurrency bounds what is dispatched', async () => {
    const sandbox = make({ concurrency: 3 });
    const runs = Array.from({ length: 10 }, (_, index) => sandbox.run(`${index}`));
    const supervisor = await native.supervisor();
    for (let done = 0; done < 10; done++) {
      const number = await supervisor.nextRun();
      await turn();
      expect(supervisor.of(kinds.RUN).length - done).toBeLessThanOrEqual(3);
      supervisor.finish(number);
    }
    expect((await Promise.all(runs)).every(({ ok }) => ok)).toBe(true);
    expect([sandbox.running, sandbox.pending]).toEqual([0, 0]);
    await sandbox.close();
  });

  test('priority goes before order', async () => {
    const sandbox = make({ concurrency: 1 });
    const runs = ['first', 'low', 'usual', 'high'].map((name, index) =>
      sandbox.run(name, { priority: [0, -1, 0, 1][index] }),
    );
    const supervisor = await native.supervisor();
    const order: string[] = [];
    for (let index = 0; index < 4; index++) {
      const { run, payload } = await supervisor.next(kinds.RUN);
      order.push(/first|low|usual|high/.exec(wire.decodeRun(payload).task.toString())?.[0] ?? '');
      supervisor.finish(run);
    }
    await Promise.all(runs);
    expect(order).toEqual(['first', 'high', 'usual', 'low']);
    await sandbox.close();
  });

  test('ten thousand runs: none is lost, numbers count up', async () => {
    native.behaviour = diligent;
    const sandbox = make({ concurrency: 8 });
    const results = await Promise.all(Array.from({ length: 10_000 }, () => sandbox.run('1')));
    expect(new Set(results.map(({ stdout }) => stdout)).size).toBe(10_000);
    const numbers = native.supervisors[0]?.of(kinds.RUN).map(({ run }) => run) ?? [];
    expect(numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? 0))).toBe(true);
    await sandbox.close();
  });
});

describe('a supervisor that is lost', () => {
  test('while a job runs: that run is told, one that had not begun goes to the next supervisor', async () => {
    const errors: Error[] = [];
    const sandbox = make();
    sandbox.on('error', (error) => errors.push(error));
    const [one, two] = [sandbox.run('one'), sandbox.run('two')];
    one.catch(() => {});
    const first = await native.supervisor();
    const number = await first.nextRun();
    await first.nextRun();
    first.send(wire.started(number), wire.stdout(number, 'partial'));
    const reader = one.stdout.getReader();
    await reader.read();
    first.die();
    await expect(one).rejects.toMatchObject({ code: 'supervisor-lost' });
    await expect(reader.read()).rejects.toMatchObject({ code: 'supervisor-lost' });
    const second = await native.supervisor(1);
    second.finish(await second.nextRun(), 'again');
    expect(await two).toMatchObject({ ok: true, stdout: 'again' });
    expect(errors).toEqual([expect.objectContaining({ code: 'supervisor-lost' })]);
    await sandbox.close();
    expect(native.reaped.toSorted()).toEqual([2 ** 30 + 1, 2 ** 30 + 2]);
    expect(native.sweeps).toBe(1);
  });

  test('while output has overtaken the word of its start: that run is told, and not run again', async () => {
    const sandbox = make();
    const run = sandbox.run('1');
    const supervisor = await native.supervisor();
    supervisor.send(wire.stdout(await supervisor.nextRun(), 'once'));
    await run.stdout.getReader().read();
    native.behaviour = diligent;
    supervisor.die();
    await expect(run).rejects.toMatchObject({ code: 'supervisor-lost' });
    await sandbox.close();
  });

  test('again and again before the code begins: told after three attempts', async () => {
    native.behaviour = (supervisor, frame) => {
      obliging(supervisor, frame);
      if (frame.kind === kinds.RUN) supervisor.die();
    };
    const sandbox = make();
    await expect(sandbox.run('1')).rejects.toMatchObject({
      code: 'supervisor-lost',
      message: expect.stringContaining('3 times'),
    });
    expect(native.supervisors).toHaveLength(3);
    native.behaviour = diligent;
    expect((await sandbox.run('2')).ok).toBe(true);
    await sandbox.close();
  });

  test('while nothing runs: told by the event, and the next run works', async () => {
    const sandbox = make();
    const lost = new Promise<Error>((resolve) => sandbox.on('error', resolve));
    await sandbox.ready();
    native.supervisors[0]?.die();
    expect(await lost).toMatchObject({ code: 'supervisor-lost' });
    native.behaviour = diligent;
    expect((await sandbox.run('1')).ok).toBe(true);
    expect(native.supervisors).toHaveLength(2);
    await sandbox.close();
  });

  test('an aborted run that had not begun is not tried again', async () => {
    const sandbox = make();
    const controller = new AbortController();
    const run = sandbox.run('1', { signal: controller.signal });
    const supervisor = await native.supervisor();
    await supervisor.nextRun();
    native.behaviour = () => {};
    controller.abort();
    await supervisor.next(kinds.ABORT);
    supervisor.die();
    expect(await run).toMatchObject({ reason: 'aborted', usage: { wallMs: 0 } });
    expect(native.supervisors).toHaveLength(1);
    native.behaviour = obliging;
    await sandbox.close();
  });

  test.each<[string, (run: number) => Uint8Array]>([
    ['noise', () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['an unknown kind', (run) => wire.frame(0x99, run)],
    ['a run that never was', (run) => wire.stdout(run + 1, 'x')],
    ['a run that is over', (run) => Buffer.concat([wire.started(run), wire.end(run), wire.stdout(run, 'x')])],
    ['a second start', (run) => Buffer.concat([wire.started(run), wire.started(run)])],
    ['an answer to nothing', (run) => wire.answer(run)],
    ['a frame that is too long', (run) => wire.frame(0x84, run, new Uint8Array(65_537))],
  ])('because it broke the protocol with %s', async (_, breach) => {
    const sandbox = make();
    const lost = new Promise<Error>((resolve) => sandbox.on('error', resolve));
    const run = sandbox.run('1');
    run.catch(() => {});
    const supervisor = await native.supervisor();
    supervisor.send(breach(await supervisor.nextRun()));
    expect(await lost).toMatchObject({
      code: 'supervisor-lost',
      cause: expect.objectContaining({ name: 'MalformedError' }),
    });
    await supervisor.ended;
    await sandbox.close();
    await run.catch(() => {});
  });

  test('FAILED for the whole sandbox after it was ready gives the supervisor up', async () => {
    const sandbox = make();
    const lost = new Promise<Error>((resolve) => sandbox.on('error', resolve));
    await sandbox.ready();
    native.supervisors[0]?.send(wire.failed(0, { stage: 3, stepName: 'exited', errno: 0, detail: 'oops' }));
    expect(await lost).toMatchObject({ code: 'supervisor-lost', message: expect.stringContaining('oops') });
    native.behaviour = diligent;
    expect((await sandbox.run('1')).ok).toBe(true);
    await sandbox.close();
  });
});

describe('close', () => {
  test('ends what runs, what waits and what comes; every promise settles', async () => {
    const sandbox = make({ concurrency: 1 });
    const runs = [sandbox.run('1'), sandbox.run('2'), sandbox.run('3')];
    const supervisor = await native.supervisor();
    await supervisor.nextRun();
    const closing = sandbox.close();
    expect(await codeOf(sandbox.run('4'))).toBe('closed');
    expect(await codeOf(sandbox.ready())).toBe('closed');
    await closing;
    expect((await Promise.all(runs)).map(({ reason }) => reason)).toEqual(['aborted', 'aborted', 'aborted']);
    expect(supervisor.of(kinds.RUN)).toHaveLength(1);
    await supervisor.ended;
    expect(native.reaped).toEqual([2 ** 30 + 1]);
    expect([sandbox.running, sandbox.pending]).toEqual([0, 0]);
    await sandbox.close();
    await sandbox[Symbol.asyncDispose]();
    expect(await codeOf(sandbox.run('5'))).toBe('closed');
    expect(native.supervisors).toHaveLength(1);
  });

  test('before anything was started', async () => {
    const sandbox = make();
    await sandbox.close();
    expect(await codeOf(sandbox.run('1'))).toBe('closed');
    expect(native.supervisors).toHaveLength(0);
  });

  test('while it starts', async () => {
    native.behaviour = () => {};
    const sandbox = make();
    const [ready, run] = [codeOf(sandbox.ready()), sandbox.run('1')];
    await (await native.supervisor()).next(kinds.ASK);
    await sandbox.close();
    expect(await ready).toBe('closed');
    expect((await run).reason).toBe('aborted');
    expect(native.reaped).toHaveLength(1);
  });

  test('at the very beginning of a start', async () => {
    const sandbox = make();
    const ready = codeOf(sandbox.ready());
    await sandbox.close();
    expect(await ready).toBe('closed');
    expect(native.reaped).toHaveLength(native.supervisors.length);
  });

  test('a supervisor that does not end is killed', async () => {
    const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const sandbox = make();
      const start = new Promise((resolve) => sandbox.on('start', resolve));
      const run = sandbox.run('1');
      const supervisor = await native.supervisor();
      supervisor.send(wire.started(await supervisor.nextRun()));
      native.behaviour = () => {};
      await start;
      const outcome = codeOf(run);
      const closing = sandbox.close();
      await supervisor.next(kinds.ABORT);
      vi.advanceTimersByTime(10_000);
      expect(kill).toHaveBeenCalledWith(2 ** 30 + 1, 'SIGKILL');
      vi.useRealTimers();
      await closing;
      expect(await outcome).toBe('supervisor-lost');
    } finally {
      vi.useRealTimers();
      kill.mockRestore();
    }
  });
});

describe('listeners', () => {
  test('hear of every run', async () => {
    native.behaviour = diligent;
    const sandbox = make({ concurrency: 1 });
    const heard: unknown[][] = [];
    for (const event of ['queued', 'start', 'end'] as const)
      sandbox.on(event, ({ id }: { id: string }) => heard.push([event, id]));
    const zygote = new Promise((resolve) => sandbox.on('zygote', resolve));
    const run = sandbox.run('1');
    const end = new Promise((resolve) => sandbox.on('end', resolve));
    const result = await run;
    expect(heard).toEqual([
      ['queued', run.id],
      ['start', run.id],
      ['end', run.id],
    ]);
    expect(await end).toEqual({ id: run.id, result, error: undefined });
    expect(await zygote).toEqual({ state: 'ready', pid: 101 });
    await sandbox.close();
  });

  test('hear of a zygote that was lost, and the runs go on', async () => {
    const sandbox = make();
    await sandbox.ready();
    const events: unknown[] = [];
    sandbox.on('zygote', (event) => events.push(event));
    native.supervisors[0]?.send(wire.zygoteLost(9), wire.ready({ zygotePid: 202 }), wire.zygoteLost(3 << 8));
    await vi.waitFor(() => expect(events).toHaveLength(3));
    expect(events).toEqual([
      { state: 'lost', exitCode: null, signalName: 'SIGKILL' },
      { state: 'ready', pid: 202 },
      { state: 'lost', exitCode: 3, signalName: null },
    ]);
    native.behaviour = diligent;
    expect((await sandbox.run('1')).ok).toBe(true);
    expect(native.supervisors).toHaveLength(1);
    await sandbox.close();
  });

  test('one that throws disturbs no run; its error goes to the event, or becomes a warning', async () => {
    native.behaviour = diligent;
    const sandbox = make();
    const bad = () => {
      throw new Error('bad listener');
    };
    for (const event of ['queued', 'start', 'end', 'zygote'] as const) sandbox.on(event, bad);
    const warnings: Error[] = [];
    const listen = (warning: Error) => warnings.push(warning);
    process.on('warning', listen);
    expect((await sandbox.run('1')).ok).toBe(true);
    await pause(5);
    process.off('warning', listen);
    expect(warnings.map(({ message }) => message)).toEqual(Array.from({ length: 4 }, () => 'bad listener'));

    const errors: Error[] = [];
    sandbox.on('error', (error) => errors.push(error));
    sandbox.on('error', () => {
      throw new Error('worse');
    });
    expect((await sandbox.run('2')).ok).toBe(true);
    expect(errors.map(({ message }) => message)).toEqual(['bad listener', 'bad listener', 'bad listener']);
    await sandbox.close();
  });

  test('of output, one that throws ends its own run, which rejects with that error once it is reaped', async () => {
    const sandbox = make();
    const error = new Error('bad listener');
    let calls = 0;
    const one = sandbox.run('1', {
      onStdout: () => {
        calls++;
        throw error;
      },
    });
    const two = sandbox.run('2');
    one.catch(() => {});
    const supervisor = await native.supervisor();
    const [first, second] = [await supervisor.nextRun(), await supervisor.nextRun()];
    native.behaviour = () => {};
    supervisor.send(wire.started(first), wire.started(second), wire.stdout(first, 'a'), wire.stdout(first, 'b'));
    expect((await supervisor.next(kinds.ABORT)).run).toBe(first);
    supervisor.send(wire.stdout(second, 'fine'), wire.end(second));
    expect((await two).stdout).toBe('fine');
    expect(sandbox.running).toBe(1);
    supervisor.send(wire.end(first, wire.abortedEnd));
    await expect(one).rejects.toBe(error);
    expect(calls).toBe(1);
    native.behaviour = obliging;
    await sandbox.close();
  });
});

describe('the event loop', () => {
  const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'PipeWrap').length;

  test('is kept alive by runs and starts, not by an idle sandbox', async () => {
    const before = sockets();
    const sandbox = make();
    const ready = sandbox.ready();
    await native.supervisor();
    expect(process.getActiveResourcesInfo().length).toBeGreaterThan(0);
    await ready;
    expect(sockets()).toBe(before);
    const runs = [sandbox.run('1'), sandbox.run('2')];
    const supervisor = await native.supervisor();
    const first = await supervisor.nextRun();
    const second = await supervisor.nextRun();
    expect(sockets()).toBe(before + 1);
    supervisor.finish(first);
    await runs[0];
    expect(sockets()).toBe(before + 1);
    supervisor.finish(second);
    await runs[1];
    expect(sockets()).toBe(before);
    await sandbox.close();
  });
});
