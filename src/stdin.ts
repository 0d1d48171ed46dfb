import type { Readable } from 'node:stream';
import { inspect, types } from 'node:util';
import { SandboxError } from './errors.js';
import type { StdinSource, WebStream } from './options.js';
import { MAX_PAYLOAD_BYTES } from './protocol.js';

/** Where a run's input goes. */
export interface StdinSink {
  /** At most 64 KiB, and no more than the credit. */
  stdin(chunk: Uint8Array): void;
  endStdin(): void;
}

/** `isLast` saves a further read where the end is known. */
type Piece = { readonly chunk: Uint8Array; readonly isLast: boolean } | undefined;

interface PieceReader {
  /** Undefined at the end. */
  read(): Promise<Piece>;
  /** Nothing more is wanted. Never throws. */
  cancel(): void;
}

/**
 * Feeds one run's stdin, no faster than the run takes it: the supervisor gives credit, and only while some is left is the
 * source read. A source that fails is the caller's fault, told once to `onFault`.
 */
export class Stdin {
  readonly #reader: PieceReader;
  readonly #onFault: (error: SandboxError) => void;
  #credit = 0;
  #wake: (() => void) | undefined;
  #isOver = false;

  constructor(source: StdinSource, onFault: (error: SandboxError) => void) {
    this.#onFault = onFault;
    this.#reader = openReader(source, (error) => this.#fail(error));
  }

  /** Starts feeding, once: nothing can be given back, so it waits until the run is sure not to be tried again. */
  async feed(sink: StdinSink): Promise<void> {
    try {
      while (!this.#isOver) {
        await this.#hasCredit();
        if (this.#isOver) return;
        const piece = await this.#reader.read();
        if (piece) await this.#send(piece.chunk, sink);
        if (this.#isOver) return;
        if (!piece || piece.isLast) {
          this.#isOver = true;
          sink.endStdin();
        }
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  addCredit(bytes: number): void {
    this.#credit += bytes;
    this.#wake?.();
  }

  /** Credit holds for one supervisor only. */
  resetCredit(): void {
    this.#credit = 0;
  }

  /** The run reads no more. */
  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#wake?.();
    this.#reader.cancel();
  }

  async #send(chunk: Uint8Array, sink: StdinSink): Promise<void> {
    for (let at = 0; at < chunk.byteLength; ) {
      await this.#hasCredit();
      if (this.#isOver) return;
      const size = Math.min(this.#credit, chunk.byteLength - at, MAX_PAYLOAD_BYTES);
      sink.stdin(chunk.subarray(at, at + size));
      this.#credit -= size;
      at += size;
    }
  }

  async #hasCredit(): Promise<void> {
    while (this.#credit === 0 && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#wake = undefined;
  }

  #fail(cause: unknown): void {
    if (this.#isOver) return;
    this.stop();
    const why = cause instanceof Error ? cause.message : inspect(cause);
    this.#onFault(new SandboxError('invalid-option', `stdin: the stream failed: ${why}`, { cause }));
  }
}

function openReader(source: StdinSource, onError: (error: unknown) => void): PieceReader {
  switch (source.type) {
    case 'bytes':
      return readBytes(source.bytes);
    case 'web':
      return readWebStream(source.stream);
    case 'node':
      return readNodeStream(source.stream, onError);
  }
}

function readBytes(bytes: Uint8Array): PieceReader {
  return { read: async () => ({ chunk: bytes, isLast: true }), cancel: () => {} };
}

function readWebStream(stream: WebStream): PieceReader {
  // Locked at once: nobody else may take pieces out while the run waits.
  const reader = stream.getReader();
  return {
    read: async () => {
      const { done, value } = await reader.read();
      return done ? undefined : { chunk: toBytes(value), isLast: false };
    },
    cancel: () => void reader.cancel().catch(() => {}),
  };
}

function readNodeStream(stream: Readable, onError: (error: unknown) => void): PieceReader {
  // A stream may fail while the run waits, when nobody else listens.
  stream.on('error', onError);
  let iterator: AsyncIterator<unknown> | undefined;
  return {
    read: async () => {
      iterator ??= stream[Symbol.asyncIterator]();
      const { done, value } = await iterator.next();
      return done ? undefined : { chunk: toBytes(value), isLast: false };
    },
    cancel: () => void stream.destroy(),
  };
}

function toBytes(value: unknown): Uint8Array {
  if (typeof value === 'string') return Buffer.from(value);
  if (types.isUint8Array(value)) return value;
  throw new TypeError(`it gave ${inspect(value, { depth: 0 })}, not bytes`);
}
