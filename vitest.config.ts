import { defineConfig } from 'vitest/config';

const report = process.env.PINFOLD_TEST_REPORT;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // The tests measure time, memory and what is left behind on the machine: two files at once would disturb each other.
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: [
      'default',
      './test/support/skips-reporter.ts',
      ...(report ? [['json', { outputFile: report }] as ['json', object]] : []),
    ],
  },
});
