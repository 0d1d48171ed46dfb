const CHECK_EVERY_MS = 1_000;

interface Watched {
  dueMs: number;
  /** A host that was busy itself hears of an end late: a run counts as overdue only when it is so twice. */
  wasOverdue: boolean;
}

/**
 * Notices a supervisor that is stopped or hangs: one that doesn't tell the end of a run long after its deadline. One timer
 * for all runs, which keeps no process alive and is there only while something runs.
 */
export class Backstop {
  readonly #watched = new Map<number, Watched>();
  readonly #onOverdue: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(onOverdue: () => void) {
    this.#onOverdue = onOverdue;
  }

  /** The end of `run` is expected in at most so many milliseconds. A later word replaces an earlier one. */
  expect(run: number, withinMs: number): void {
    this.#watched.set(run, { dueMs: performance.now() + withinMs, wasOverdue: false });
    this.#timer ??= setInterval(() => this.#check(), CHECK_EVERY_MS).unref();
  }

  forget(run: number): void {
    this.#watched.delete(run);
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #check(): void {
    const nowMs = performance.now();
    for (const watched of this.#watched.values()) {
      if (nowMs < watched.dueMs) continue;
      if (watched.wasOverdue) {
        this.#onOverdue();
        return;
      }
      watched.wasOverdue = true;
    }
  }
}
