// A supervisor that says anything at all, in any order: every run settles, with a typed error or with what was said of it.
import { expect, vi } from 'vitest';
import { ByteReader } from '../../src/bytes.js';
import { SandboxError } from '../../src/errors.js';
import { Sandbox } from '../../src/sandbox.js';
import { FakeNative, type FakeSupervisor } from '../host/support/fake-supervisor.js';
import * as wire from '../host/support/wire.js';
import { fc, fuzz } from './support.js';

const fake = vi.hoisted(() => ({ native: undefined as unknown }));

vi.mock('../../src/native.js', () => ({ loadNative: async () => fake.native }));
vi.mock('../../src/languages/python.js', async () => {
  const { FakeLanguage } = await import('../host/support/fake-language.js');
  return { python: new FakeLanguage() };
});

let native: FakeNative;

const { kinds } = wire;
const RUNS = 3;
const CODES = ['spawn-failed', 'supervisor-lost', 'isolation-unavailable', 'resources-exhausted', 'closed'];
/** Longer than any of this takes, shorter than what the host waits for a hung supervisor. */
const HANG_MS = 8_000;

/** One thing to say when a run is handed over; `run` is its number. */
type Word = (run: number) => Buffer;

const other = fc.constantFrom(-1, 1, 2, 77);
const fields = fc.record({ reason: fc.integer({ min: 0, max: 9 }), exitCode: fc.integer({ min: -1, max: 255 }) });
const word: fc.Arbitrary<Word> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Word>(wire.started) },
  {
    weight: 4,
    arbitrary: fc.string().map(
      (text): Word =>
        (run) =>
          wire.stdout(run, text),
    ),
  },
  {
    weight: 4,
    arbitrary: fields.map(
      (some): Word =>
        (run) =>
          wire.end(run, some),
    ),
  },
  fc.string().map(
    (text): Word =>
      (run) =>
        wire.stderr(run, text),
  ),
  fc.nat().map(
    (bytes): Word =>
      (run) =>
        wire.stdinCredit(run, bytes),
  ),
  fc.constant<Word>(wire.stdinClosed),
  fc.constantFrom(2, 3, 4, 6).map(
    (stage): Word =>
      (run) =>
        wire.failed(run, { stage: stage as 2 }),
  ),
  other.map(
    (by): Word =>
      (run) =>
        wire.end(Math.max(0, run + by)),
  ),
  other.map(
    (by): Word =>
      (run) =>
        wire.stdout(Math.max(0, run + by), 'of another run'),
  ),
  other.map(
    (by): Word =>
      (run) =>
        wire.started(Math.max(0, run + by)),
  ),
  fc.constant<Word>(() => wire.ready()),
  fc.constant<Word>(() => wire.zygoteLost(9)),
  fc.constant<Word>((run) => wire.answer(run)),
  fc.constant<Word>(() => wire.failed(0)),
  fc.uint8Array({ minLength: 1, maxLength: 40 }).map(
    (noise): Word =>
      () =>
        Buffer.from(noise),
  ),
);

interface Told {
  stdout: string;
  isEnded: boolean;
}

/** What was said of each run number, up to its end, also before that run was read here: the host may have sent it already. */
class Heard {
  readonly #told = new Map<string, Told>();
  readonly #numbers = new Map<string, Told[]>();

  handed(run: string, code: string): void {
    this.#numbers.set(code, [...(this.#numbers.get(code) ?? []), this.#of(run)]);
  }

  said(supervisor: number, frames: Buffer): void {
    for (const { kind, run, payload } of wire.cutFrames(frames).frames) {
      const told = this.#of(`${supervisor}/${run}`);
      if (kind === 0x84 && !told.isEnded) told.stdout += payload.toString();
      if (kind === 0x88) told.isEnded = true;
    }
  }

  /** Everything that a run of this code could have printed by what was said. */
  outputsOf(code: string): string[] {
    return (this.#numbers.get(code) ?? []).filter(({ isEnded }) => isEnded).map(({ stdout }) => stdout);
  }

  #of(run: string): Told {
    const told = this.#told.get(run) ?? { stdout: '', isEnded: false };
    this.#told.set(run, told);
    return told;
  }
}

function codeOf(payload: Buffer): string {
  const task = new ByteReader(wire.decodeRun(payload).task);
  task.strings();
  task.strings();
  return task.bytes().toString();
}

interface Script {
  readonly words: readonly (readonly Word[])[];
  readonly early: readonly Word[];
  readonly isReady: boolean;
}

/** Says its lines for each run in turn, then ends: what it owes is owed by nobody. */
function speaker({ words, early, isReady }: Script, heard: Heard) {
  let next = 0;
  return (supervisor: FakeSupervisor, { kind, run, payload }: wire.HostFrame): void => {
    if (kind === kinds.ASK) supervisor.send(wire.answer(run, { stdout: 'here' }));
    if (kind === kinds.CONFIGURE) {
      for (const say of early) supervisor.send(say(0));
      if (isReady) supervisor.send(wire.ready());
      else supervisor.die();
    }
    if (kind === kinds.ABORT) supervisor.send(wire.end(run, wire.abortedEnd));
    if (kind !== kinds.RUN) return;
    const index = native.supervisors.indexOf(supervisor);
    heard.handed(`${index}/${run}`, codeOf(payload));
    for (const say of words[next++ % words.length] ?? []) {
      const frames = say(run);
      heard.said(index, frames);
      supervisor.send(frames);
    }
    setTimeout(() => supervisor.die(), 5);
  };
}

const script = fc.record({
  words: fc.array(fc.array(word, { maxLength: 6 }), { minLength: 1, maxLength: 3 }),
  early: fc.oneof(
    { weight: 9, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(word, { maxLength: 2 }) },
  ),
  isReady: fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
});

function within<T>(promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('It hangs')), HANG_MS);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

fuzz('every run has a typed error, or the result that was told', script, async (said) => {
  native = new FakeNative();
  fake.native = native;
  const heard = new Heard();
  native.behaviour = speaker(said, heard);
  const sandbox = new Sandbox({ language: 'python', concurrency: 2 });
  sandbox.on('error', () => {});
  const runs = Array.from({ length: RUNS }, (_, index) => sandbox.run(`code ${index}`));
  for (const [index, outcome] of (await within(Promise.allSettled(runs))).entries()) {
    if (outcome.status === 'fulfilled') {
      expect(heard.outputsOf(`code ${index}`)).toContain(outcome.value.stdout);
    } else {
      expect(outcome.reason).toBeInstanceOf(SandboxError);
      expect(CODES).toContain(outcome.reason.code);
    }
  }
  await within(sandbox.close());
});
