import PQueue from 'p-queue';
import { SandboxError } from './errors.js';

/** A place in the queue. */
export interface Ticket {
  /** Undefined once the work has begun, or was cancelled. */
  work: (() => Promise<void>) | undefined;
}

/**
 * Lets a bounded number of runs go at once and a bounded number wait. A slot is free again only when the work's promise has
 * settled, which is when the job is reaped: p-queue's own `signal` and `timeout` would free it earlier, and aren't used.
 */
export class RunQueue {
  readonly #queue: PQueue;
  readonly #maxQueue: number;
  #waiting = 0;
  #running = 0;

  constructor({ concurrency, maxQueue }: { readonly concurrency: number; readonly maxQueue: number }) {
    this.#queue = new PQueue({ concurrency });
    this.#maxQueue = maxQueue;
  }

  /** How many wait. */
  get pending(): number {
    return this.#waiting;
  }

  get running(): number {
    return this.#running;
  }

  /** Throws SandboxError 'queue-full' where the next one would have to wait, and no place is left. */
  assertRoom(): void {
    if (this.#running < this.#queue.concurrency || this.#waiting < this.#maxQueue) return;
    throw new SandboxError(
      'queue-full',
      `${this.#running} runs are under way and ${this.#waiting} wait, as many as maxQueue (${this.#maxQueue}) allows: ` +
        'wait for some to end, or raise maxQueue or concurrency',
    );
  }

  /** Begins at once where there is a free slot, else by priority, then in order. `work` must not reject. */
  add(work: () => Promise<void>, priority: number): Ticket {
    const ticket: Ticket = { work };
    this.#waiting++;
    void this.#queue.add(() => this.#begin(ticket), { priority });
    return ticket;
  }

  /** Gives up the place of what still waits; for anything else it does nothing. */
  cancel(ticket: Ticket): void {
    if (!ticket.work) return;
    // The empty ticket stays in line, costing next to nothing, and is passed over when its turn comes.
    ticket.work = undefined;
    this.#waiting--;
  }

  async #begin(ticket: Ticket): Promise<void> {
    const { work } = ticket;
    if (!work) return;
    ticket.work = undefined;
    this.#waiting--;
    this.#running++;
    try {
      await work();
    } finally {
      this.#running--;
    }
  }
}
