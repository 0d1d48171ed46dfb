import type { RunResult } from './result.js';
import type { ZygoteEvent } from './supervisor.js';

/**
 * What a sandbox tells its listeners. A listener that throws disturbs no run: its error goes to the listeners of 'error', or,
 * where there are none, becomes a process warning.
 */
export interface SandboxEvents {
  /** A run was accepted. */
  queued(run: { id: string }): void;
  /** Its code begins. */
  start(run: { id: string }): void;
  /** Its promise settles: with a result, or with an error. */
  end(run: { id: string; result: RunResult | null; error: unknown }): void;
  /** The process that runs are forked from is ready, or was lost and is being started anew. */
  zygote(event: ZygoteEvent): void;
  /** What no promise tells: the supervisor was lost while nothing ran, or a listener threw. Without listeners it is no exception. */
  error(error: Error): void;
}
