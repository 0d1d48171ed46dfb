import { setTimeout as delay } from 'node:timers/promises';
import { askEnvironment } from './ask.js';
import { Backstop } from './backstop.js';
import { MalformedError } from './bytes.js';
import { Channel } from './channel.js';
import { type Deferred, deferred } from './deferred.js';
import { SandboxError } from './errors.js';
import { FailureError } from './isolation.js';
import type { Answer, Language, RuntimeRequest } from './languages/language.js';
import { loadNative, type Native } from './native.js';
import {
  encodeAbort,
  encodeAsk,
  encodeConfigure,
  encodeRun,
  encodeSignal,
  encodeStdin,
  encodeStdinEnd,
  type Failure,
  MAX_RUN_NUMBER,
  type Readiness,
  type Report,
  type RunOrder,
  type ShownCall,
  type SupervisorMessage,
} from './protocol.js';
import { signalName } from './signals.js';
import { VERSION } from './version.js';

/** What a supervisor is started for. */
export interface SupervisorPlan {
  readonly language: Language;
  readonly request: RuntimeRequest;
  readonly warm: number;
  readonly scratchBytes: number;
  readonly filter: Uint8Array;
  readonly shown: readonly ShownCall[];
}

/** idle → starting → ready → closed; lost from starting and ready, where it ended by itself. */
export type SupervisorState = 'idle' | 'starting' | 'ready' | 'lost' | 'closed';

export type ZygoteEvent =
  | { readonly state: 'ready'; readonly pid: number }
  | { readonly state: 'lost'; readonly exitCode: number | null; readonly signalName: NodeJS.Signals | null };

export interface SupervisorListener {
  zygote(event: ZygoteEvent): void;
  /** The supervisor ended by itself, after it was ready. */
  lost(error: SandboxError): void;
}

/** What one run hears of its supervisor, in this order but for output and credit. */
export interface RunListener {
  started(): void;
  /** `chunk` shares memory with other frames: it must not be changed or given away. */
  output(stream: 'stdout' | 'stderr', chunk: Uint8Array): void;
  stdinCredit(bytes: number): void;
  stdinClosed(): void;
}

export type RunOutcome =
  | { readonly type: 'ended'; readonly report: Report }
  | { readonly type: 'failed'; readonly failure: Failure }
  | { readonly type: 'lost'; readonly hadStarted: boolean; readonly error: SandboxError };

/** A run under way. */
export interface Flight {
  /** Settles once the job is reaped, or the supervisor gone. Never rejects. */
  readonly outcome: Promise<RunOutcome>;
  /** No more than the credit that was given, and at most 64 KiB. Not copied. */
  stdin(chunk: Uint8Array): void;
  endStdin(): void;
  signal(signal: number): void;
  abort(): void;
}

interface OpenRun {
  readonly wallMs: number;
  readonly listener: RunListener;
  readonly outcome: Deferred<RunOutcome>;
  hadStarted: boolean;
  /** Output can overtake STARTED, which comes over another pipe. It too shows that code has run. */
  hasSpoken: boolean;
}

type RunMessage = Exclude<SupervisorMessage, { type: 'ready' | 'zygote-lost' | 'answer' }>;

const START_LIMIT_MS = 60_000;
/** Longer than the kernel takes to tear down a thousand jobs. */
const CLOSE_LIMIT_MS = 10_000;
/** How much later than its deadline the end of a run may be told before the supervisor counts as hung. */
const HUNG_AFTER_MS = 10_000;
/** Before it starts, a run may have to wait for a new zygote. */
const STARTED_AFTER_MS = 120_000;
const REAP_PATIENCE_MS = 1_000;
const REAP_LIMIT_MS = 5_000;
const REAP_DELAY_MAX_MS = 64;
const SWEEP_PATIENCE_MS = 2_000;
const SWEEP_DELAY_MS = 20;

/** One native supervisor, from its start to its reaping. It is used once: a lost one is followed by another object. */
export class Supervisor {
  readonly #plan: SupervisorPlan;
  readonly #listener: SupervisorListener;
  readonly #readiness = deferred<Readiness>();
  readonly #gone = deferred<void>();
  readonly #runs = new Map<number, OpenRun>();
  readonly #questions = new Map<number, Deferred<Answer>>();
  readonly #backstop = new Backstop(() => this.#onHung());
  #state: SupervisorState = 'idle';
  #isConfigured = false;
  #nextNumber = 1;
  #native: Native | undefined;
  #channel: Channel | undefined;
  #pid = 0;

  constructor(plan: SupervisorPlan, listener: SupervisorListener) {
    this.#plan = plan;
    this.#listener = listener;
    this.#readiness.promise.catch(() => {});
  }

  get state(): SupervisorState {
    return this.#state;
  }

  /** True when its run numbers are used up: after four billion runs. */
  get isSpent(): boolean {
    return this.#nextNumber > MAX_RUN_NUMBER;
  }

  /**
   * Starts the process, asks for the language's runtime and waits for the first spare. Once.
   * Throws SandboxError 'spawn-failed', 'resources-exhausted', 'isolation-unavailable', 'interpreter-not-found', 'closed'.
   */
  async start(): Promise<Readiness> {
    this.#state = 'starting';
    // This timer also keeps the event loop alive until the start is over.
    const deadline = setTimeout(() => this.#giveUp(), START_LIMIT_MS);
    try {
      const native = await loadNative();
      if (this.#state !== 'starting') throw closedError();
      const channel = this.#open(native);
      const runtime = await Promise.race([this.#resolveRuntime(), this.#readiness.promise.then(neverBefore)]);
      const { request, warm, scratchBytes, filter, shown } = this.#plan;
      const { network } = request;
      this.#isConfigured = true;
      channel.send(
        encodeConfigure({ ...runtime, packageVersion: VERSION, network, warm, scratchBytes, filter, shown }),
      );
      return await this.#readiness.promise;
    } catch (error) {
      await this.close();
      throw error;
    } finally {
      clearTimeout(deadline);
    }
  }

  /** Hands a run over. Only while ready and not spent. */
  run(order: RunOrder, listener: RunListener): Flight {
    const channel = this.#channel;
    if (this.#state !== 'ready' || !channel) throw new Error(`A supervisor that is ${this.#state} takes no runs`);
    const number = this.#takeNumber();
    const outcome = deferred<RunOutcome>();
    channel.hold();
    this.#runs.set(number, { wallMs: order.wallMs, listener, outcome, hadStarted: false, hasSpoken: false });
    this.#backstop.expect(number, order.wallMs + STARTED_AFTER_MS);
    channel.send(encodeRun(number, order));

    const sendWhileOpen = (frame: Parameters<Channel['send']>[0]) => {
      if (this.#runs.has(number)) channel.send(frame);
    };
    return {
      outcome: outcome.promise,
      stdin: (chunk) => sendWhileOpen(encodeStdin(number, chunk)),
      endStdin: () => sendWhileOpen(encodeStdinEnd(number)),
      signal: (signal) => sendWhileOpen(encodeSignal(number, signal)),
      abort: () => sendWhileOpen(encodeAbort(number)),
    };
  }

  /** Lets the runs under way end, then closes. */
  async retire(): Promise<void> {
    await this.#allEnded();
    await this.close();
  }

  /** Aborts what runs, ends the process and reaps it. Idempotent; never throws. */
  async close(): Promise<void> {
    const channel = this.#channel;
    if (this.#state !== 'lost') this.#state = 'closed';
    if (!channel) return;
    this.#failQuestions(closedError());
    this.#readiness.reject(closedError());
    // This timer also keeps the event loop alive until all is gone.
    const deadline = setTimeout(() => this.#kill(), CLOSE_LIMIT_MS);
    for (const number of this.#runs.keys()) channel.send(encodeAbort(number));
    await this.#allEnded();
    channel.end();
    await this.#gone.promise;
    clearTimeout(deadline);
  }

  #open(native: Native): Channel {
    const { pid, fd } = native.start();
    this.#native = native;
    this.#pid = pid;
    this.#channel = new Channel(fd, {
      message: (message) => this.#receive(message),
      closed: (error) => void this.#onClosed(error),
    });
    return this.#channel;
  }

  #resolveRuntime() {
    return this.#plan.language.resolve(this.#plan.request, (argv) => this.#ask(argv));
  }

  #ask(argv: readonly string[]): Promise<Answer> {
    const channel = this.#channel;
    if (this.#state !== 'starting' || !channel) return Promise.reject(closedError());
    const number = this.#takeNumber();
    const answer = deferred<Answer>();
    this.#questions.set(number, answer);
    channel.send(encodeAsk(number, { ...askEnvironment(), argv }));
    return answer.promise;
  }

  #takeNumber(): number {
    if (this.isSpent) throw new Error('The run numbers of this supervisor are used up');
    return this.#nextNumber++;
  }

  async #allEnded(): Promise<void> {
    await Promise.all([...this.#runs.values()].map((run) => run.outcome.promise));
  }

  #receive(message: SupervisorMessage): void {
    if (message.type === 'ready') this.#onReady(message.readiness);
    else if (message.type === 'zygote-lost') this.#onZygoteLost(message.waitStatus);
    else if (message.type === 'answer') this.#onAnswer(message);
    else if (message.type === 'failed' && message.run === 0) this.#onFailed(message.failure);
    else this.#receiveOfRun(message);
  }

  #receiveOfRun(message: RunMessage): void {
    const run = this.#openRun(message.run);
    switch (message.type) {
      case 'started':
        this.#onStarted(message.run, run);
        break;
      case 'stdout':
      case 'stderr':
        run.hasSpoken = true;
        run.listener.output(message.type, message.chunk);
        break;
      case 'stdin-credit':
        run.listener.stdinCredit(message.bytes);
        break;
      case 'stdin-closed':
        run.listener.stdinClosed();
        break;
      case 'end':
        this.#settle(message.run, { type: 'ended', report: message.report });
        break;
      case 'failed':
        this.#settle(message.run, { type: 'failed', failure: message.failure });
    }
  }

  #openRun(number: number): OpenRun {
    const run = this.#runs.get(number);
    if (!run) throw new MalformedError(`A frame names the run ${number}, which is not under way`);
    return run;
  }

  #onStarted(number: number, run: OpenRun): void {
    if (run.hadStarted) throw new MalformedError('A run started twice');
    run.hadStarted = true;
    this.#backstop.expect(number, run.wallMs + HUNG_AFTER_MS);
    run.listener.started();
  }

  #onReady(readiness: Readiness): void {
    if (!this.#isConfigured) throw new MalformedError('READY came before CONFIGURE');
    if (this.#state === 'starting') this.#state = 'ready';
    this.#readiness.resolve(readiness);
    this.#listener.zygote({ state: 'ready', pid: readiness.zygotePid });
  }

  #onZygoteLost(waitStatus: number): void {
    const exitCode = exitCodeOf(waitStatus);
    this.#listener.zygote({ state: 'lost', exitCode, signalName: signalName(waitStatus & 0x7f) });
  }

  #onAnswer(message: Extract<SupervisorMessage, { type: 'answer' }>): void {
    const question = this.#questions.get(message.run);
    if (!question) throw new MalformedError(`An answer to ${message.run}, which nobody asked`);
    this.#questions.delete(message.run);
    const { errno, waitStatus, stdout, stderr } = message;
    const status = errno === 0 ? exitCodeOf(waitStatus) : null;
    question.resolve({ errno, status, stdout: stdout.toString(), stderr: stderr.toString() });
  }

  #onFailed(failure: Failure): void {
    const error = new FailureError(failure);
    this.#readiness.reject(error);
    // A supervisor that can't start a zygote any more is of no use: it is given up, and the next run tries another one.
    if (this.#state === 'ready') this.#channel?.destroy(error);
  }

  #settle(number: number, outcome: RunOutcome): void {
    const run = this.#openRun(number);
    this.#runs.delete(number);
    this.#backstop.forget(number);
    run.outcome.resolve(outcome);
    this.#channel?.release();
  }

  /** Stopped, or stuck: killed, it takes its jobs with it, and the runs settle as lost. */
  #onHung(): void {
    this.#kill(new Error('it told no end of a run long after its deadline'));
  }

  #giveUp(): void {
    this.#readiness.reject(
      new SandboxError(
        'spawn-failed',
        `The interpreter was not ready after ${START_LIMIT_MS / 1000} seconds: does a module of 'preload' take that long?`,
      ),
    );
    this.#kill();
  }

  async #onClosed(cause: Error | undefined): Promise<void> {
    const previous = this.#state;
    const isLost = previous === 'starting' || previous === 'ready';
    if (isLost) this.#state = 'lost';
    const error = lostError(previous, this.#pid, cause);
    this.#readiness.reject(error);
    this.#failQuestions(error);
    for (const [number, { hadStarted, hasSpoken }] of this.#runs) {
      this.#settle(number, { type: 'lost', hadStarted: hadStarted || hasSpoken, error });
    }
    if (previous === 'ready') this.#listener.lost(error);
    await this.#reap();
    if (isLost) await this.#sweep();
    this.#gone.resolve();
  }

  #failQuestions(error: SandboxError): void {
    for (const question of this.#questions.values()) question.reject(error);
    this.#questions.clear();
  }

  /** The socket closes as the process ends, a moment before it can be reaped. */
  async #reap(): Promise<void> {
    let waitedMs = 0;
    for (let delayMs = 1; !this.#native?.reap(this.#pid); delayMs = Math.min(delayMs * 2, REAP_DELAY_MAX_MS)) {
      if (waitedMs > REAP_LIMIT_MS) return;
      if (waitedMs > REAP_PATIENCE_MS) this.#kill();
      await delay(delayMs);
      waitedMs += delayMs;
    }
    this.#pid = 0;
  }

  /** The jobs of a lost supervisor end by themselves; their control groups can go when the last process has gone. */
  async #sweep(): Promise<void> {
    for (let waitedMs = 0; waitedMs < SWEEP_PATIENCE_MS && this.#native?.sweep(); waitedMs += SWEEP_DELAY_MS) {
      await delay(SWEEP_DELAY_MS);
    }
  }

  /** Only before the process is reaped: until then nobody else can have its pid. */
  #kill(cause?: Error): void {
    if (this.#pid > 0) {
      try {
        process.kill(this.#pid, 'SIGKILL');
      } catch {
        // It has ended, and waits to be reaped.
      }
    }
    this.#channel?.destroy(cause);
  }
}

function exitCodeOf(waitStatus: number): number | null {
  return (waitStatus & 0x7f) === 0 ? (waitStatus >> 8) & 0xff : null;
}

function neverBefore(): never {
  throw new MalformedError('READY came before CONFIGURE');
}

function lostError(previous: SupervisorState, pid: number, cause: Error | undefined): SandboxError {
  const why = cause === undefined ? '' : `: ${cause.message}`;
  const options = cause === undefined ? {} : { cause };
  if (previous === 'starting') {
    return new SandboxError('spawn-failed', `The supervisor (pid ${pid}) ended before it was ready${why}`, options);
  }
  return new SandboxError(
    'supervisor-lost',
    `The supervisor (pid ${pid}) is gone${why}. What it ran is dead; the next run starts a new one`,
    options,
  );
}

export function closedError(): SandboxError {
  return new SandboxError('closed', 'The sandbox is closed: make a new one');
}
