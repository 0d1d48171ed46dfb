import type { TestContext } from 'vitest';

/** True where every test has to run for real, as in CI: then a missing tool or feature is a failure. */
const mustWork = process.env.PINFOLD_MUST_WORK === '1';

/** Call it where the machine lacks what a test needs. Skips with the reason, or fails where `PINFOLD_MUST_WORK=1`. */
export function skipMissing(context: TestContext, why: string): never {
  if (mustWork) throw new Error(`PINFOLD_MUST_WORK=1, so this test may not be skipped: ${why}`);
  return context.skip(why);
}

/** Call it where a test makes no sense for this user or platform (another pass of CI covers it). Always skips. */
export function skipForeign(context: TestContext, why: string): never {
  return context.skip(why);
}
