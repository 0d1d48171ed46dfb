/** Bytes that are not what their format says: cut short, too long, or holding an impossible value. */
export class MalformedError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MalformedError';
  }
}

const INITIAL_CAPACITY = 256;

/**
 * Builds a little-endian message. `bytes` is a u32 length and that many bytes, `string` the same in UTF-8 without a NUL,
 * `list` a u32 count and that many items. Values out of range throw RangeError.
 */
export class ByteWriter {
  #buffer: Buffer;
  #length = 0;

  /** `capacity` in bytes saves growing where the size is known; it is no limit. */
  constructor(capacity: number = INITIAL_CAPACITY) {
    this.#buffer = Buffer.allocUnsafe(capacity);
  }

  u8(value: number): this {
    const at = this.#reserve(1);
    this.#length = this.#buffer.writeUInt8(value, at);
    return this;
  }

  u16(value: number): this {
    const at = this.#reserve(2);
    this.#length = this.#buffer.writeUInt16LE(value, at);
    return this;
  }

  u32(value: number): this {
    const at = this.#reserve(4);
    this.#length = this.#buffer.writeUInt32LE(value, at);
    return this;
  }

  i32(value: number): this {
    const at = this.#reserve(4);
    this.#length = this.#buffer.writeInt32LE(value, at);
    return this;
  }

  u64(value: number | bigint): this {
    const at = this.#reserve(8);
    this.#length = this.#buffer.writeBigUInt64LE(BigInt(value), at);
    return this;
  }

  /** The bytes alone, without a length before them. */
  raw(value: Uint8Array): this {
    const at = this.#reserve(value.byteLength);
    this.#buffer.set(value, at);
    this.#length = at + value.byteLength;
    return this;
  }

  bytes(value: Uint8Array): this {
    return this.u32(value.byteLength).raw(value);
  }

  string(value: string): this {
    if (value.includes('\0')) throw new RangeError('A string in a message must not hold a NUL');
    const byteLength = Buffer.byteLength(value);
    const at = this.u32(byteLength).#reserve(byteLength);
    this.#length = at + this.#buffer.write(value, at);
    return this;
  }

  list<T>(items: readonly T[], write: (writer: this, item: T) => void): this {
    this.u32(items.length);
    for (const item of items) write(this, item);
    return this;
  }

  strings(items: readonly string[]): this {
    return this.list(items, (writer, item) => writer.string(item));
  }

  /** What was written, without a copy: the writer is done. */
  finish(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #reserve(byteLength: number): number {
    const needed = this.#length + byteLength;
    if (needed > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    return this.#length;
  }
}

/** Reads what ByteWriter writes. Throws MalformedError on anything that does not fit; slices share the given memory. */
export class ByteReader {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.#buffer.readUInt8(this.#take(1));
  }

  u16(): number {
    return this.#buffer.readUInt16LE(this.#take(2));
  }

  u32(): number {
    return this.#buffer.readUInt32LE(this.#take(4));
  }

  i32(): number {
    return this.#buffer.readInt32LE(this.#take(4));
  }

  /** Exact, hence refused above 2**53 - 1. */
  u64(): number {
    const value = Number(this.#buffer.readBigUInt64LE(this.#take(8)));
    if (!Number.isSafeInteger(value)) throw new MalformedError('A 64-bit number is larger than 2**53 - 1');
    return value;
  }

  /** Any 64 bits. */
  bits64(): bigint {
    return this.#buffer.readBigUInt64LE(this.#take(8));
  }

  bytes(): Buffer {
    const length = this.u32();
    const at = this.#take(length);
    return this.#buffer.subarray(at, at + length);
  }

  /** Bytes that are no UTF-8 become U+FFFD. */
  string(): string {
    const bytes = this.bytes();
    if (bytes.includes(0)) throw new MalformedError('A string holds a NUL');
    return bytes.toString('utf8');
  }

  list<T>(read: (reader: this) => T): T[] {
    const count = this.u32();
    // Every item takes a byte at least: a count beyond what is left is a lie, and no array is made for it.
    if (count > this.#buffer.length - this.#at) throw new MalformedError('A list is longer than its message');
    return Array.from({ length: count }, () => read(this));
  }

  strings(): string[] {
    return this.list((reader) => reader.string());
  }

  /** Asserts that nothing is left. */
  end(): void {
    const left = this.#buffer.length - this.#at;
    if (left > 0) throw new MalformedError(`${left} bytes are left over`);
  }

  #take(byteLength: number): number {
    const at = this.#at;
    if (byteLength > this.#buffer.length - at) throw new MalformedError('A message is cut short');
    this.#at = at + byteLength;
    return at;
  }
}
