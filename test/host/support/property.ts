import fc from 'fast-check';
import { test as vitestTest } from 'vitest';

export { fc };

/** A test of a property, with a fixed number of runs; a failure prints the seed and the smallest counterexample. */
export function test<Ts extends [unknown, ...unknown[]]>(
  name: string,
  ...rest: [...{ [K in keyof Ts]: fc.Arbitrary<Ts[K]> }, (...values: Ts) => void | Promise<void>]
): void {
  const arbitraries = rest.slice(0, -1) as { [K in keyof Ts]: fc.Arbitrary<Ts[K]> };
  const check = rest.at(-1) as (...values: Ts) => void | Promise<void>;
  vitestTest(name, async () => {
    await fc.assert(
      fc.asyncProperty(...arbitraries, async (...values: Ts) => check(...values)),
      { numRuns: 200 },
    );
  });
}
