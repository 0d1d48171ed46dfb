import { describe, expect, test } from 'vitest';
import { ByteReader, ByteWriter, MalformedError } from '../../src/bytes.js';
import { fc, test as property } from './support/property.js';

const text = fc.string({ unit: 'binary' }).filter((value) => !value.includes('\0'));

describe('what is written is what is read', () => {
  property(
    'for every field',
    fc.record({
      u8: fc.integer({ min: 0, max: 0xff }),
      u16: fc.integer({ min: 0, max: 0xffff }),
      u32: fc.integer({ min: 0, max: 0xffff_ffff }),
      i32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      u64: fc.maxSafeNat(),
      bytes: fc.uint8Array({ maxLength: 2_000 }),
      string: text,
      strings: fc.array(text),
    }),
    (fields) => {
      const written = new ByteWriter(1)
        .u8(fields.u8)
        .u16(fields.u16)
        .u32(fields.u32)
        .i32(fields.i32)
        .u64(fields.u64)
        .bytes(fields.bytes)
        .string(fields.string)
        .strings(fields.strings)
        .finish();
      const reader = new ByteReader(written);
      expect({
        u8: reader.u8(),
        u16: reader.u16(),
        u32: reader.u32(),
        i32: reader.i32(),
        u64: reader.u64(),
        bytes: new Uint8Array(reader.bytes()),
        string: reader.string(),
        strings: reader.strings(),
      }).toEqual(fields);
      reader.end();
    },
  );

  property('and every shorter message is refused', fc.array(text, { minLength: 1 }), fc.nat(), (strings, cut) => {
    const written = new ByteWriter().strings(strings).finish();
    const reader = new ByteReader(written.subarray(0, cut % written.length));
    expect(() => reader.strings()).toThrow(MalformedError);
  });
});

test('numbers are little endian', () => {
  const written = new ByteWriter().u16(0x0102).u32(0x01020304).i32(-2).u64(0x0102030405).finish();
  expect(written.toString('hex')).toBe('020104030201feffffff0504030201000000');
});

test('a writer refuses a NUL in a string and numbers out of range', () => {
  expect(() => new ByteWriter().string('a\0b')).toThrow(RangeError);
  expect(() => new ByteWriter().u8(256)).toThrow(RangeError);
  expect(() => new ByteWriter().u32(-1)).toThrow(RangeError);
  expect(() => new ByteWriter().u64(-1)).toThrow(RangeError);
});

test('a reader refuses a NUL in a string, an inexact number and what is left over', () => {
  expect(() => new ByteReader(Buffer.from([1, 0, 0, 0, 0])).string()).toThrow(MalformedError);
  expect(() => new ByteReader(new ByteWriter().u64(2n ** 53n).finish()).u64()).toThrow(MalformedError);
  expect(() => new ByteReader(Buffer.from([1])).end()).toThrow('1 bytes are left over');
});

test('a list that claims more items than there are bytes is refused before anything is made for it', () => {
  const lie = new ByteWriter().u32(0xffff_ffff).finish();
  expect(() => new ByteReader(lie).strings()).toThrow('longer than its message');
});

test('bytes that are no UTF-8 are readable all the same', () => {
  expect(new ByteReader(new ByteWriter().bytes(Buffer.from([0x61, 0xff, 0x62])).finish()).string()).toBe('a\ufffdb');
});
