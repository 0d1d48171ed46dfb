import type { ViewEntry } from '../protocol.js';

/** Runs a trusted program of the caller's own, unconfined, and gives back what it said. */
export type Ask = (argv: readonly string[]) => Promise<Answer>;

/** `status` is the exit code, or null where a signal ended the program or it could not be started (`errno` then says why). */
export interface Answer {
  readonly errno: number;
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a caller asked of the runtime: the language's part of SandboxOptions, already checked. */
export interface RuntimeRequest {
  /** Interpreter as given: a path or a name to look for on PATH; undefined: the language's default name. */
  readonly executable: string | undefined;
  readonly preload: readonly string[];
  /** Whether jobs share the host's network. */
  readonly network: boolean;
  readonly mounts: readonly { readonly source: string; readonly target: string; readonly writable: boolean }[];
}

/** How a zygote of this runtime is started, and what it and its jobs see. All paths but `source`s are paths in the view. */
export interface Runtime {
  readonly executable: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly view: readonly ViewEntry[];
}

/** One untrusted program with what it is given. */
export interface Task {
  readonly code: Uint8Array;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** A language is one file: how to find the runtime, what it must see, how it starts, and how a task reaches its prescript. */
export interface Language {
  readonly name: string;
  /** Asks the interpreter where it lives. Throws SandboxError 'interpreter-not-found' with what was tried. */
  resolve(request: RuntimeRequest, ask: Ask): Promise<Runtime>;
  encodeTask(task: Task): Uint8Array;
}
