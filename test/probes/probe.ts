import type { Limits } from '../../src/limits.js';
import type { RunOptions, SandboxOptions } from '../../src/options.js';
import type { Syscall } from '../../src/policy/syscalls.js';
import type { Reason } from '../../src/protocol.js';
import type { RunResult } from '../../src/result.js';
import type { Sandbox } from '../../src/sandbox.js';
import type { LanguageName } from './languages/index.js';
import type { Scene } from './support/scene.js';

/**
 * What has to come of a probe.
 *
 * - E: refused with an errno, without an effect
 * - H: not to be seen at all
 * - B: bounded, with a reason or an errno, and the others are well
 * - X: an entry refused and reported, the host untouched
 * - R: a typed error before any process starts
 * - S: works, for a runtime needs it, and gives nothing
 */
export type Outcome = 'E' | 'H' | 'B' | 'X' | 'R' | 'S';

/** What a probe's program found, by name: 'done', an errno, how a process ended, or anything else that JSON can say. */
export type Findings = Readonly<Record<string, unknown>>;

/** Why something can't be shown here. */
export class NotHere {
  constructor(readonly why: string) {}
}

/** A value, or what gives it in this scene. */
export type InScene<Value> = Value | ((scene: Scene) => Value);

interface Common {
  /** As in the list of classes: F1. */
  readonly id: string;
  /** What the program tries, in a few words; with the id it names the probe. */
  readonly title: string;
  readonly outcome: Outcome;
  /** What refuses or bounds it. Of 'seccomp' it is shown that the filter does so alone. */
  readonly layer: string;
}

/** Output is text: what was found is in it. */
export type ProbeOptions = Omit<RunOptions, 'encoding'>;

/** The part that is tried with and without confinement. */
export interface Program extends Common {
  readonly program: Readonly<Record<LanguageName, string>>;
  readonly args?: (scene: Scene) => readonly string[];
  readonly options?: ProbeOptions;
  /** Options of a sandbox of its own; undefined: it uses the one of all probes. */
  readonly sandbox?: InScene<SandboxOptions>;
  /** What the program finds in the sandbox, exactly; undefined where it doesn't come to that. */
  readonly confined: InScene<Findings | undefined>;
  /** How it ends there; the default is exit code 0. */
  readonly ends?: { readonly reason: Reason; readonly exitCode?: number; readonly signalName?: NodeJS.Signals };
  /** System calls that `result.denials` has to name. */
  readonly denied?: readonly Syscall[];
  /** Looks from outside at what has come of it, also at what is no finding. */
  readonly check?: (result: RunResult, scene: Scene) => void | Promise<void>;
  /** The same program, as the same user, without confinement. */
  readonly control: InScene<Findings | NotHere | undefined>;
  readonly controlArgs?: (scene: Scene) => readonly string[];
  /** How the control ends; 'still running' after `controlMs`. */
  readonly controlEnds?: string;
  readonly controlMs?: number;
  /** Looks from outside at what the control did, before that is cleared away. */
  readonly controlCheck?: (scene: Scene) => void;
  /** What holds at a level that promises less, by the level's name. */
  readonly weaker?: Readonly<
    Record<string, Partial<Pick<Program, 'confined' | 'ends' | 'denied' | 'layer' | 'check'>>>
  >;
}

/** One that needs more than one program, or another host: it does its own asserting and tells what it got. */
export interface Scripted extends Common {
  readonly expects: string;
  readonly run: (stage: Stage) => Promise<string | NotHere>;
  /** Shows that without confinement, or with a harmless value, it would be otherwise. Undefined: it goes without saying. */
  readonly shows?: (stage: Stage) => Promise<unknown>;
}

export type Probe = Program | Scripted;

export interface Stage {
  readonly scene: Scene;
  readonly sandbox: Sandbox;
  /** One more sandbox at this level, closed at the end of the test. */
  readonly open: (options?: SandboxOptions) => Sandbox;
  readonly limits: Limits;
}

export const isScripted = (probe: Probe): probe is Scripted => 'run' in probe;

/** The control shows what only root may do; the pass as another user can't. */
export const asRoot =
  (findings: Findings, otherwise: Findings | NotHere = new NotHere('unconfined, only root may do it')) =>
  (scene: Scene) =>
    scene.isRoot ? findings : otherwise;

/** Every finding of these names is the same. */
export const each = (names: readonly string[], value: unknown): Findings =>
  Object.fromEntries(names.map((name) => [name, value]));

/** The control shows what takes a capability in the first user namespace, which a machine's root may lack as well. */
export const asCapable =
  (name: keyof typeof CAPABILITIES, findings: Findings) =>
  (scene: Scene): Findings | NotHere =>
    scene.capable(CAPABILITIES[name]) ? findings : new NotHere(`unconfined, it takes ${name}, which this user lacks`);

const CAPABILITIES = {
  CAP_SYS_MODULE: 16,
  CAP_SYS_RAWIO: 17,
  CAP_SYS_ADMIN: 21,
  CAP_SYS_RESOURCE: 24,
  CAP_SYS_TIME: 25,
};
