import { defineConfig } from 'vitest/config';

const report = process.env.PINFOLD_TEST_REPORT;
// The probes are run by `npm run probes`, which prints what came of each.
const areProbes = process.env.PINFOLD_PROBE_LEVEL !== undefined;

export default defineConfig({
  test: {
    include: [areProbes ? 'test/probes/*.probes.ts' : 'test/**/*.test.ts'],
    pool: 'forks',
    // The tests measure time, memory and what is left behind on the machine: two files at once would disturb each other.
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: [
      areProbes ? './test/probes/table-reporter.ts' : 'default',
      './test/support/skips-reporter.ts',
      ...(report ? [['json', { outputFile: report }] as ['json', object]] : []),
    ],
  },
});
