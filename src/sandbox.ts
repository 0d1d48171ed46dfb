import { inspect } from 'node:util';
import { TypedEmitter } from 'tiny-typed-emitter';
import { SandboxError } from './errors.js';
import type { SandboxEvents } from './events.js';
import {
  assertGuarantees,
  copyReport,
  FailureError,
  type IsolationReport,
  reportFailure,
  reportNothingStarted,
  reportReadiness,
} from './isolation.js';
import { LANGUAGE_OF_CHECK } from './languages/index.js';
import { completeLimits } from './limits.js';
import {
  type CheckedOptions,
  type CheckedRunOptions,
  type Code,
  checkCode,
  checkRunOptions,
  checkSandboxOptions,
  type RunOptions,
  type SandboxOptions,
} from './options.js';
import { shownCalls } from './policy/arguments.js';
import { compileFilter } from './policy/filter.js';
import type { Arch } from './policy/syscalls.js';
import { MAX_TASK_BYTES, type RunOrder } from './protocol.js';
import { RunQueue, type Ticket } from './queue.js';
import { Execution, type Run, RunPromise } from './run.js';
import { closedError, Supervisor, type SupervisorPlan } from './supervisor.js';

/** A supervisor on its way to readiness, or beyond. */
interface Current {
  readonly supervisor: Supervisor;
  /** Resolves when it has what the caller requires. */
  readonly ready: Promise<void>;
  isReady: boolean;
}

const MAX_ATTEMPTS = 3;

/**
 * Runs untrusted programs in processes that the kernel confines: one configuration, one queue, one supervisor.
 *
 * The supervisor is started by the first `run` or by `ready`. It doesn't keep the event loop alive while nothing runs; `close`
 * ends it at once.
 */
export class Sandbox extends TypedEmitter<SandboxEvents> implements AsyncDisposable {
  readonly #options: CheckedOptions;
  readonly #plan: SupervisorPlan;
  readonly #queue: RunQueue;
  readonly #executions = new Set<Execution>();
  /** Supervisors that were replaced and are not yet gone. */
  readonly #leaving = new Set<Promise<void>>();
  #current: Current | undefined;
  #isolation: IsolationReport = reportNothingStarted();
  #runCount = 0;
  #closing: Promise<void> | undefined;
  #isClosed = false;

  /** Starts no process. Throws SandboxError 'invalid-option', and 'unsupported-platform' on anything but Linux x64 and arm64. */
  constructor(options?: SandboxOptions) {
    super();
    assertPlatform();
    this.#options = checkSandboxOptions(options);
    this.#plan = planOf(this.#options);
    this.#queue = new RunQueue(this.#options);
  }

  /** Runs that wait for a free place. */
  get pending(): number {
    return this.#queue.pending;
  }

  /** Runs under way, from dispatch until their last process is gone. */
  get running(): number {
    return this.#queue.running;
  }

  /**
   * Starts and warms up now, instead of at the first run.
   *
   * Rejects with SandboxError 'isolation-unavailable', 'interpreter-not-found', 'spawn-failed', 'resources-exhausted', 'closed'.
   */
  async ready(): Promise<IsolationReport> {
    await this.#supervisor();
    return copyReport(this.#isolation);
  }

  /**
   * Runs one program: source text, as a string or bytes (at most 64 MiB).
   *
   * Never throws; the promise rejects with SandboxError 'invalid-option', 'queue-full' and 'closed' before anything is started, and
   * with those of `ready` and 'supervisor-lost' later.
   */
  run(code: Code, options: RunOptions & { encoding: 'buffer' }): Run<Buffer>;
  run(code: Code, options?: RunOptions & { encoding?: 'utf8' | undefined }): Run;
  run(code: Code, options?: RunOptions): Run<string | Buffer>;
  run(code: Code, options?: RunOptions): Run | Run<Buffer> | Run<string | Buffer> {
    const execution = new Execution(`${++this.#runCount}`);
    try {
      this.#enqueue(execution, code, options);
    } catch (error) {
      execution.reject(error);
    }
    return new RunPromise(execution);
  }

  /** Ends what runs or waits (reason 'aborted'), refuses what comes (code 'closed'), and ends the supervisor. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * What this machine can enforce, and what to do about the rest: starts a supervisor with these options, and ends it again.
   * Isolation that is missing is in the report, and `require` is not looked at. Without `language` it uses one that is available.
   *
   * Rejects with SandboxError 'invalid-option', 'unsupported-platform', 'interpreter-not-found', 'spawn-failed', 'resources-exhausted'.
   */
  static async check(options?: SandboxOptions): Promise<IsolationReport> {
    assertPlatform();
    const plan = planOf(checkSandboxOptions(options, LANGUAGE_OF_CHECK));
    const supervisor = new Supervisor(plan, { zygote: () => {}, lost: () => {} });
    try {
      return reportReadiness(await supervisor.start(), plan.request.network);
    } catch (error) {
      if (error instanceof FailureError && error.code === 'isolation-unavailable') return reportFailure(error.failure);
      throw error;
    } finally {
      await supervisor.close();
    }
  }

  #enqueue(execution: Execution, code: Code, given: RunOptions | undefined): void {
    if (this.#isClosed) throw closedError();
    const options = checkRunOptions(given, this.#options);
    const order = this.#orderOf(code, options);
    if (!options.signal?.aborted) this.#queue.assertRoom();

    const { id } = execution;
    let ticket: Ticket | undefined;
    this.#executions.add(execution);
    this.#tell('queued', { id });
    execution.accept(order, options, {
      started: () => this.#tell('start', { id }),
      isolation: () => this.#isolation,
      ended: ({ result, error }) => {
        if (ticket) this.#queue.cancel(ticket);
        this.#executions.delete(execution);
        this.#tell('end', { id, result: result ?? null, error });
      },
    });
    if (!execution.isSettled) ticket = this.#queue.add(() => this.#carryOut(execution), options.priority);
  }

  #orderOf(code: Code, options: CheckedRunOptions): RunOrder {
    const { args, env, limits, killOnOutputLimit, stdin } = options;
    const task = this.#options.language.encodeTask({ code: checkCode(code), args, env });
    if (task.byteLength > MAX_TASK_BYTES) {
      throw new SandboxError(
        'invalid-option',
        `code, args and env come to ${task.byteLength} bytes, but must be at most ${MAX_TASK_BYTES} together`,
      );
    }
    return { ...limits, killOnOutputLimit, stdinStreamed: stdin !== undefined, task };
  }

  /** Settles the execution in every case, and its own promise only after the job is reaped: that frees the slot. */
  async #carryOut(execution: Execution): Promise<void> {
    try {
      for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
        const supervisor = this.#readySupervisor() ?? (await Promise.race([this.#supervisor(), execution.over]));
        if (execution.isSettled) return;
        if (supervisor?.state === 'ready' && (await execution.runOn(supervisor))) return;
      }
      throw new SandboxError(
        'supervisor-lost',
        `The supervisor was lost ${MAX_ATTEMPTS} times before the code began: does something on this machine kill it?`,
      );
    } catch (error) {
      execution.reject(error);
    }
  }

  #readySupervisor(): Supervisor | undefined {
    const current = this.#current;
    return current?.isReady && isUsable(current.supervisor) ? current.supervisor : undefined;
  }

  async #supervisor(): Promise<Supervisor> {
    if (this.#isClosed) throw closedError();
    if (!this.#current || !isUsable(this.#current.supervisor)) this.#replaceSupervisor();
    const current = this.#current as Current;
    await current.ready;
    return current.supervisor;
  }

  #replaceSupervisor(): void {
    if (this.#current) {
      const leaving = this.#current.supervisor.retire().then(() => void this.#leaving.delete(leaving));
      this.#leaving.add(leaving);
    }
    const supervisor = new Supervisor(this.#plan, {
      zygote: (event) => this.#tell('zygote', event),
      lost: (error) => this.#tell('error', error),
    });
    const ready = this.#warmUp(supervisor);
    ready.catch(() => {});
    this.#current = { supervisor, ready, isReady: false };
  }

  async #warmUp(supervisor: Supervisor): Promise<void> {
    const isolation = reportReadiness(await supervisor.start(), this.#options.network);
    try {
      assertGuarantees(isolation, this.#options.require);
    } catch (error) {
      await supervisor.close();
      throw error;
    }
    this.#isolation = isolation;
    if (this.#current?.supervisor === supervisor) this.#current.isReady = true;
  }

  async #close(): Promise<void> {
    this.#isClosed = true;
    const executions = [...this.#executions];
    for (const execution of executions) execution.abort();
    await this.#current?.supervisor.close();
    await Promise.all([...executions.map((execution) => execution.over), ...this.#leaving]);
  }

  /** Like `emit`, but one listener that throws keeps neither the others nor any run from going on. */
  #tell<E extends keyof SandboxEvents>(event: E, ...values: Parameters<SandboxEvents[E]>): void {
    for (const listener of this.rawListeners(event)) {
      try {
        Reflect.apply(listener, this, values);
      } catch (thrown) {
        const error = thrown instanceof Error ? thrown : new Error(`A listener of '${event}' threw ${inspect(thrown)}`);
        if (event !== 'error' && this.listenerCount('error') > 0) this.#tell('error', error);
        else process.emitWarning(error);
      }
    }
  }
}

function isUsable(supervisor: Supervisor): boolean {
  return (supervisor.state === 'starting' || supervisor.state === 'ready') && !supervisor.isSpent;
}

function planOf(options: CheckedOptions): SupervisorPlan {
  const { language, executable, preload, mounts, network, warm, limits, policy } = options;
  return {
    language,
    request: { executable, preload, mounts, network },
    warm,
    scratchBytes: completeLimits(limits, {}).scratchBytes,
    filter: compileFilter(policy, process.arch as Arch),
    shown: shownCalls(process.arch as Arch),
  };
}

function assertPlatform(): void {
  if (process.platform === 'linux' && (process.arch === 'x64' || process.arch === 'arm64')) return;
  throw new SandboxError(
    'unsupported-platform',
    `Sandboxes need Linux on x64 or arm64, but this is ${process.platform} on ${process.arch}: run it in a virtual machine`,
  );
}
