import fc from 'fast-check';
import { test, vi } from 'vitest';
import { fuzzSeconds } from './seconds.js';

export { fc };

vi.setConfig({ testTimeout: (fuzzSeconds + 60) * 1_000 });

/** A property that is tried with new values until its time is over. A failure prints the seed and the smallest counterexample. */
export function fuzz<T>(name: string, arbitrary: fc.Arbitrary<T>, check: (value: T) => void | Promise<void>): void {
  test(`${name}, for ${fuzzSeconds} seconds`, async () => {
    await fc.assert(
      fc.asyncProperty(arbitrary, async (value) => check(value)),
      { numRuns: 1e9, interruptAfterTimeLimit: fuzzSeconds * 1_000, markInterruptAsFailure: false },
    );
  });
}

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });

/** A change that a broken or hostile sender could have made to a stream. */
export type Mutation = (bytes: Buffer) => Buffer;

export const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(fc.nat(), fc.nat(255)).map(
    ([place, value]): Mutation =>
      (bytes) => {
        const changed = Buffer.from(bytes);
        if (changed.length > 0) changed[place % changed.length] = value;
        return changed;
      },
  ),
  fc.tuple(fc.nat(), fc.nat(64)).map(
    ([place, length]): Mutation =>
      (bytes) => {
        const at = place % (bytes.length + 1);
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
      },
  ),
  fc.tuple(fc.nat(), fc.uint8Array({ maxLength: 32 })).map(
    ([place, more]): Mutation =>
      (bytes) => {
        const at = place % (bytes.length + 1);
        return Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)]);
      },
  ),
  fc.tuple(fc.nat(), u32).map(
    ([place, value]): Mutation =>
      (bytes) => {
        const changed = Buffer.from(bytes);
        if (changed.length >= 4) changed.writeUInt32LE(value, place % (changed.length - 3));
        return changed;
      },
  ),
);

/** The pieces in which a stream arrives when it is cut at these places. */
export function cutAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((place, index) => bytes.subarray(places[index], place));
}
