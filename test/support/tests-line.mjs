// Sums vitest's JSON reports, given as arguments, into the one line that closes a run of .ci/run.
import { existsSync, readFileSync } from 'node:fs';

const sums = { passed: 0, failed: 0, skipped: 0 };
for (const file of process.argv.slice(2)) {
  if (!existsSync(file)) {
    console.log(`no report ${file}: that run of the tests did not get to its end`);
    sums.failed += 1;
    continue;
  }
  const report = JSON.parse(readFileSync(file, 'utf8'));
  sums.passed += report.numPassedTests;
  sums.failed += report.numFailedTests;
  sums.skipped += report.numPendingTests + report.numTodoTests;
  // A file that fails outside its tests, by a broken import for one, counts as one failure.
  for (const { status, assertionResults } of report.testResults) {
    const isCounted = assertionResults.some((/** @type {{ status: string }} */ test) => test.status === 'failed');
    if (status === 'failed' && !isCounted) sums.failed += 1;
  }
}
console.log(`tests: ${sums.passed} passed, ${sums.failed} failed, ${sums.skipped} skipped`);
process.exitCode = sums.failed === 0 && sums.passed > 0 ? 0 : 1;
