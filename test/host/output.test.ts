import { describe, expect, test } from 'vitest';
import { Output } from '../../src/output.js';
import { fc, test as property } from './support/property.js';

const collect = async (stream: AsyncIterable<Uint8Array>) => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
};

const pieces = fc.array(fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 0, max: 40_000 }).map(ramp)), {
  maxLength: 40,
});

function ramp(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => index % 251);
}

describe('all that was pushed', () => {
  property('is kept, and is what a stream gives, in order', pieces, async (chunks) => {
    const output = new Output();
    const early = collect(output.toStream());
    for (const chunk of chunks) {
      output.push(Buffer.from(chunk));
      if (chunk.length % 3 === 0) await Promise.resolve();
    }
    output.finish();
    const whole = Buffer.concat(chunks);
    expect(output.toBuffer().equals(whole)).toBe(true);
    expect(Buffer.concat(await early).equals(whole)).toBe(true);
    expect(Buffer.concat(await collect(output.toStream())).equals(whole)).toBe(true);
  });
});

test('a megabyte in single bytes costs about a megabyte, not an object a byte', () => {
  const output = new Output();
  const before = process.memoryUsage();
  const received = Buffer.alloc(64 * 1024, 'x');
  for (let index = 0; index < 1 << 20; index++) output.push(received.subarray(index & 0xffff, (index & 0xffff) + 1));
  globalThis.gc?.();
  const after = process.memoryUsage();
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(4 << 20);
  expect(output.toBuffer()).toHaveLength(1 << 20);
});

test('chunks of a stream are copies', async () => {
  const output = new Output();
  const received = Buffer.alloc(20_000, 'a');
  output.push(received);
  output.finish();
  const [chunk] = await collect(output.toStream());
  expect(chunk?.buffer.byteLength).toBe(20_000);
  chunk?.fill(0);
  expect(output.toBuffer().equals(received)).toBe(true);
});

test('a stream waits for more, and ends with the error that the run ends with', async () => {
  const output = new Output();
  const reader = output.toStream().getReader();
  const first = reader.read();
  output.push(Buffer.from('one'));
  expect(Buffer.from((await first).value ?? []).toString()).toBe('one');
  const second = reader.read();
  const error = new Error('lost');
  output.finish(error);
  await expect(second).rejects.toBe(error);
});

test('a stream that is cancelled keeps nobody waiting', async () => {
  const output = new Output();
  const reader = output.toStream().getReader();
  const pending = reader.read();
  await reader.cancel();
  expect(await pending).toEqual({ done: true, value: undefined });
  output.push(Buffer.from('more'));
  output.finish();
  expect(output.toBuffer().toString()).toBe('more');
});

describe('a character cut by truncation', () => {
  test.each(['ä', '€', '😀'])('%s becomes one U+FFFD at most, wherever it is cut', (character) => {
    const bytes = Buffer.from(`x${character}`);
    for (let length = 1; length < bytes.length; length++) {
      const output = new Output();
      for (const byte of bytes.subarray(0, length)) output.push(Uint8Array.of(byte));
      expect(output.toBuffer().toString('utf8')).toBe(length === 1 ? 'x' : 'x\ufffd');
    }
  });

  test('one that is spread over chunks is whole', () => {
    const output = new Output();
    for (const byte of Buffer.from('😀')) output.push(Uint8Array.of(byte));
    expect(output.toBuffer().toString('utf8')).toBe('😀');
  });
});
