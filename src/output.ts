import { ReadableStream } from 'node:stream/web';

/** Pieces from this size on are kept where they were received; smaller ones are gathered. */
const LARGE_PIECE_BYTES = 16 * 1024;
const FIRST_BLOCK_BYTES = 512;
const LAST_BLOCK_BYTES = 64 * 1024;

/** Bytes in a row: `length` of `bytes` are filled. */
interface Block {
  readonly bytes: Buffer;
  length: number;
}

/**
 * What a run wrote to one stream. It is kept for the result, so streams to it hold nothing of their own: each is a place in
 * what is kept. A job that writes byte by byte must not cost the host an object a byte, hence small pieces are gathered.
 */
export class Output {
  readonly #blocks: Block[] = [];
  #end: { readonly error: unknown } | 'clean' | undefined;
  #waiting: (() => void)[] = [];

  push(chunk: Uint8Array): void {
    if (chunk.byteLength >= LARGE_PIECE_BYTES) {
      this.#blocks.push({ bytes: asBuffer(chunk), length: chunk.byteLength });
    } else {
      this.#gather(chunk);
    }
    this.#wake();
  }

  /** Nothing more comes. With an error, streams end with it. */
  finish(error?: unknown): void {
    this.#end ??= error === undefined ? 'clean' : { error };
    this.#wake();
  }

  /** All of it, in a copy. */
  toBuffer(): Buffer {
    return Buffer.concat(this.#blocks.map(filled));
  }

  /** From the first byte on, however late it is asked for. Chunks are copies: a consumer may keep, change or transfer them. */
  toStream(): ReadableStream<Uint8Array> {
    let index = 0;
    let offset = 0;
    const next = (): Uint8Array | undefined => {
      for (let block = this.#blocks[index]; block; block = this.#blocks[index]) {
        if (offset < block.length) {
          const chunk = new Uint8Array(block.bytes.subarray(offset, block.length));
          offset = block.length;
          return chunk;
        }
        // The last block may yet be filled.
        if (index === this.#blocks.length - 1) return undefined;
        index++;
        offset = 0;
      }
      return undefined;
    };
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          for (;;) {
            const chunk = next();
            if (chunk) return controller.enqueue(chunk);
            if (this.#end === 'clean') return controller.close();
            if (this.#end) return controller.error(this.#end.error);
            await new Promise<void>((resolve) => this.#waiting.push(resolve));
          }
        },
      },
      { highWaterMark: 0 },
    );
  }

  #gather(chunk: Uint8Array): void {
    const last = this.#blocks.at(-1);
    const room = last ? last.bytes.byteLength - last.length : 0;
    const fitting = chunk.subarray(0, room);
    if (last && fitting.byteLength > 0) {
      last.bytes.set(fitting, last.length);
      last.length += fitting.byteLength;
    }
    const rest = chunk.subarray(room);
    if (rest.byteLength === 0) return;
    const capacity = Math.max(rest.byteLength, nextBlockBytes(last));
    const block = { bytes: Buffer.allocUnsafeSlow(capacity), length: rest.byteLength };
    block.bytes.set(rest);
    this.#blocks.push(block);
  }

  #wake(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

function nextBlockBytes(last: Block | undefined): number {
  if (!last) return FIRST_BLOCK_BYTES;
  return Math.min(last.bytes.byteLength * 2, LAST_BLOCK_BYTES);
}

function filled(block: Block): Buffer {
  return block.bytes.subarray(0, block.length);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
