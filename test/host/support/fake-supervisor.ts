import { Socket } from 'node:net';
import koffi from 'koffi';
import type { Native } from '../../../src/native.js';
import {
  abortedEnd,
  answer,
  cutFrames,
  type EndFields,
  end,
  type HostFrame,
  kinds,
  ready,
  started,
  stdout,
} from './wire.js';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;

let socketpair: ((domain: number, type: number, protocol: number, fds: Int32Array) => number) | undefined;

function makeSocketPair(): [number, number] {
  socketpair ??= koffi
    .load('libc.so.6')
    .func('int socketpair(int domain, int type, int protocol, _Out_ int *fds)') as unknown as typeof socketpair;
  const fds = new Int32Array(2);
  if (socketpair?.(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) !== 0) throw new Error('No socket pair');
  return [fds[0] as number, fds[1] as number];
}

/** The far end of a channel: a supervisor without a native part, which does what a test says. */
export class FakeSupervisor {
  readonly frames: HostFrame[] = [];
  readonly ended: Promise<void>;
  readonly #socket: Socket;
  readonly #seen = new Map<string, number>();
  #rest: Buffer = Buffer.alloc(0);
  #waiting: (() => void)[] = [];

  constructor(fd: number, behaviour: Behaviour) {
    this.#socket = new Socket({ fd, readable: true, writable: true });
    this.#socket.unref();
    this.#socket.on('error', () => {});
    this.ended = new Promise((resolve) => this.#socket.once('close', () => resolve()));
    this.#socket.on('data', (chunk) => {
      const { frames, rest } = cutFrames(Buffer.concat([this.#rest, chunk]));
      this.#rest = rest;
      for (const frame of frames) {
        this.frames.push(frame);
        behaviour(this, frame);
      }
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const wake of waiting) wake();
    });
  }

  send(...frames: Uint8Array[]): void {
    this.#socket.write(Buffer.concat(frames));
  }

  /** Ends as a killed process does: at once, and with nothing more read. */
  die(): void {
    this.#socket.destroy();
  }

  of(kind: number, run?: number): HostFrame[] {
    return this.frames.filter((frame) => frame.kind === kind && (run === undefined || frame.run === run));
  }

  /** The next frame of that kind (and run) that no earlier call has given; waits for it. */
  async next(kind: number, run?: number): Promise<HostFrame> {
    const key = `${kind}/${run}`;
    for (;;) {
      const index = this.#seen.get(key) ?? 0;
      const frame = this.of(kind, run)[index];
      if (frame) {
        this.#seen.set(key, index + 1);
        return frame;
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** The number of the next RUN. */
  async nextRun(): Promise<number> {
    return (await this.next(kinds.RUN)).run;
  }

  finish(run: number, text = '', fields: Partial<EndFields> = {}): void {
    this.send(started(run), ...(text === '' ? [] : [stdout(run, text)]), end(run, fields));
  }
}

export type Behaviour = (supervisor: FakeSupervisor, frame: HostFrame) => void;

/** Answers questions, becomes ready, and kills what is aborted; runs are left to the test. */
export const obliging: Behaviour = (supervisor, { kind, run }) => {
  if (kind === kinds.ASK) supervisor.send(answer(run, { stdout: 'here' }));
  if (kind === kinds.CONFIGURE) supervisor.send(ready());
  if (kind === kinds.ABORT) supervisor.send(end(run, abortedEnd));
};

/** The same, and ends every run at once, telling its number. */
export const diligent: Behaviour = (supervisor, frame) => {
  obliging(supervisor, frame);
  if (frame.kind === kinds.RUN) supervisor.finish(frame.run, `${frame.run}`);
};

/** Stands for the native library. */
export class FakeNative implements Native {
  readonly supervisors: FakeSupervisor[] = [];
  behaviour: Behaviour = obliging;
  /** Thrown by the next starts. */
  startError: Error | undefined;
  /** How often `reap` says "not yet" for each supervisor. */
  reapDelays = 1;
  reaped: number[] = [];
  sweeps = 0;
  readonly #asked = new Map<number, number>();
  #waiting: (() => void)[] = [];

  start() {
    if (this.startError) throw this.startError;
    const [host, far] = makeSocketPair();
    this.supervisors.push(new FakeSupervisor(far, (...args) => this.behaviour(...args)));
    for (const wake of this.#waiting.splice(0)) wake();
    // Beyond any pid of this kernel, so that nothing is hit where it is killed.
    return { pid: 2 ** 30 + this.supervisors.length, fd: host };
  }

  reap(pid: number): boolean {
    const asked = (this.#asked.get(pid) ?? 0) + 1;
    this.#asked.set(pid, asked);
    if (asked <= this.reapDelays) return false;
    this.reaped.push(pid);
    return true;
  }

  sweep(): number {
    this.sweeps++;
    return 0;
  }

  /** The n-th supervisor, counted from 0; waits until it is started. */
  async supervisor(index = 0): Promise<FakeSupervisor> {
    for (;;) {
      const supervisor = this.supervisors[index];
      if (supervisor) return supervisor;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}
