import { whenAborted } from './abort.js';
import { invalidOption } from './check.js';
import { type Deferred, deferred } from './deferred.js';
import { FailureError, type IsolationReport } from './isolation.js';
import type { CheckedRunOptions, OutputListener } from './options.js';
import { Output } from './output.js';
import type { Report, RunOrder } from './protocol.js';
import { buildResult, NOTHING_RAN, type RunResult } from './result.js';
import { signalNumber } from './signals.js';
import { Stdin } from './stdin.js';
import type { Flight, RunListener, Supervisor } from './supervisor.js';

/** The standard's stream. Node's can be iterated over (`for await`), which the types of a browser's don't say. */
export type OutputStream = ReadableStream<Uint8Array> & AsyncIterable<Uint8Array>;

/**
 * A promise of the result, with the output as it comes. It rejects with a SandboxError for faults of the host or the caller
 * only (see there), or with what a listener of the caller's own threw; whatever the code does is in the result.
 */
export interface Run<Text = string> extends Promise<RunResult<unknown, Text>> {
  /** Unique within its sandbox. */
  readonly id: string;
  /** All of stdout, from the first byte on however late it is read, at most `outputBytes`. It errors where the run rejects. */
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /**
   * Sends a signal to the main process, default 'SIGTERM': at once, or as soon as the code begins. A run that still waits
   * in the queue ends with reason 'aborted' instead. After the end it does nothing.
   * Throws SandboxError 'invalid-option' where there is no such signal.
   */
  kill(signal?: NodeJS.Signals): void;
}

export class RunPromise extends Promise<RunResult> implements Run {
  // `then` and its kin give ordinary promises.
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  readonly #execution: Execution;
  // Most runs are never read as streams, which cost more than the rest of a run.
  #stdout: OutputStream | undefined;
  #stderr: OutputStream | undefined;

  constructor(execution: Execution) {
    super((resolve, reject) => execution.result.then(resolve, reject));
    this.#execution = execution;
  }

  get id(): string {
    return this.#execution.id;
  }

  get stdout(): OutputStream {
    this.#stdout ??= this.#execution.stdout.toStream();
    return this.#stdout;
  }

  get stderr(): OutputStream {
    this.#stderr ??= this.#execution.stderr.toStream();
    return this.#stderr;
  }

  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    this.#execution.kill(signal);
  }
}

/** Either a result, or what the promise rejects with. */
export type RunEnding =
  | { readonly result: RunResult; readonly error?: never }
  | { readonly error: unknown; readonly result?: never };

interface Accepted {
  readonly order: RunOrder;
  readonly options: CheckedRunOptions;
  readonly hooks: ExecutionHooks;
}

/** What an execution needs of its sandbox. */
export interface ExecutionHooks {
  /** The code begins. */
  started(): void;
  /** The run is over, also where no supervisor ever had it. */
  ended(ending: RunEnding): void;
  /** What the supervisor of this run promised; before there was one, that nothing was. */
  isolation(): IsolationReport;
}

/** One run from the call to its end: waiting, then in flight (perhaps more than once), then settled. */
export class Execution implements RunListener {
  readonly id: string;
  readonly stdout = new Output();
  readonly stderr = new Output();
  readonly #acceptedAt = performance.now();
  readonly #outcome: Deferred<RunResult> = deferred();
  #accepted: Accepted | undefined;
  #stdin: Stdin | undefined;
  #flight: Flight | undefined;
  #queuedMs = 0;
  #hasStarted = false;
  #isAborted = false;
  #isSettled = false;
  /** Of the caller's own making: a listener that threw, a stream that failed. Told once the job is reaped. */
  #fault: { readonly error: unknown } | undefined;
  #heldSignals: number[] = [];
  #forgetSignal: (() => void) | undefined;

  constructor(id: string) {
    this.id = id;
  }

  get result(): Promise<RunResult> {
    return this.#outcome.promise;
  }

  /** Resolves with the end of the run, whatever it is. */
  get over(): Promise<undefined> {
    const nothing = () => undefined;
    return this.#outcome.promise.then(nothing, nothing);
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Takes what is to be run. From here on the caller's signal and streams count. */
  accept(order: RunOrder, options: CheckedRunOptions, hooks: ExecutionHooks): void {
    this.#accepted = { order, options, hooks };
    if (options.stdin) this.#stdin = new Stdin(options.stdin, (error) => this.#onFault(error));
    if (options.signal?.aborted) this.abort();
    else if (options.signal) this.#forgetSignal = whenAborted(options.signal, () => this.abort());
  }

  /** True when the run is over; false where the supervisor was lost before the code began, so that another one may try. */
  async runOn(supervisor: Supervisor): Promise<boolean> {
    if (!this.#accepted) throw new Error('A run was dispatched before it was accepted, or after its end');
    this.#queuedMs = performance.now() - this.#acceptedAt;
    this.#stdin?.resetCredit();
    this.#flight = supervisor.run(this.#accepted.order, this);
    const outcome = await this.#flight.outcome;
    this.#flight = undefined;

    if (this.#fault) this.reject(this.#fault.error);
    else if (outcome.type === 'ended') this.#resolve(outcome.report);
    else if (outcome.type === 'failed') this.reject(new FailureError(outcome.failure));
    else if (outcome.hadStarted) this.reject(outcome.error);
    else if (this.#isAborted) this.#resolve(NOTHING_RAN);
    return this.#isSettled;
  }

  abort(): void {
    if (this.#isSettled || this.#isAborted) return;
    this.#isAborted = true;
    if (this.#flight) {
      this.#flight.abort();
    } else {
      this.#queuedMs = performance.now() - this.#acceptedAt;
      this.#resolve(NOTHING_RAN);
    }
  }

  kill(signal: NodeJS.Signals): void {
    const number = signalNumber(signal);
    if (number === undefined) throw invalidOption('signal', signal, "the name of a signal, such as 'SIGTERM'");
    if (this.#isSettled) return;
    if (!this.#flight) this.abort();
    else if (this.#hasStarted) this.#flight.signal(number);
    else this.#heldSignals.push(number);
  }

  reject(error: unknown): void {
    if (this.#isSettled) return;
    this.#settle({ error });
    this.#outcome.reject(error);
  }

  started(): void {
    this.#hasStarted = true;
    const flight = this.#flight;
    if (!flight) return;
    this.#accepted?.hooks.started();
    for (const signal of this.#heldSignals) flight.signal(signal);
    void this.#stdin?.feed(flight);
  }

  output(stream: 'stdout' | 'stderr', chunk: Uint8Array): void {
    this[stream].push(chunk);
    const options = this.#accepted?.options;
    this.#tell(stream === 'stdout' ? options?.onStdout : options?.onStderr, chunk);
  }

  stdinCredit(bytes: number): void {
    this.#stdin?.addCredit(bytes);
  }

  stdinClosed(): void {
    this.#stdin?.stop();
  }

  #tell(listener: OutputListener | undefined, chunk: Uint8Array): void {
    if (!listener || this.#fault) return;
    try {
      // A copy: the listener may keep, change or transfer it. Nobody else would hear of a promise's rejection.
      const returned: unknown = listener(new Uint8Array(chunk));
      if (returned instanceof Promise) returned.catch((error: unknown) => this.#onFault(error));
    } catch (error) {
      this.#onFault(error);
    }
  }

  #onFault(error: unknown): void {
    if (this.#isSettled) return;
    this.#fault ??= { error };
    if (this.#flight) this.#flight.abort();
    else this.reject(error);
  }

  #resolve(report: Report): void {
    if (!this.#accepted) return;
    const { options, hooks } = this.#accepted;
    const result = buildResult({
      report,
      stdout: this.stdout,
      stderr: this.stderr,
      encoding: options.encoding,
      queuedMs: this.#queuedMs,
      isolation: hooks.isolation(),
    });
    this.#settle({ result });
    this.#outcome.resolve(result);
  }

  /** Lets go of everything that the caller gave: an ended run may be kept, its code and its input need not. */
  #settle(ending: RunEnding): void {
    this.#isSettled = true;
    this.#stdin?.stop();
    this.#stdin = undefined;
    this.stdout.finish(ending.error);
    this.stderr.finish(ending.error);
    this.#forgetSignal?.();
    this.#forgetSignal = undefined;
    this.#accepted?.hooks.ended(ending);
    this.#accepted = undefined;
  }
}
