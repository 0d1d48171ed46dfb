import { relative } from 'node:path';
import type { Reporter, TestCase } from 'vitest/node';

/** Ends the output with every test that was skipped, and why. */
export default class SkipsReporter implements Reporter {
  readonly #lines: string[] = [];

  onTestRunStart(): void {
    this.#lines.length = 0;
  }

  onTestCaseResult(test: TestCase): void {
    const result = test.result();
    if (result.state !== 'skipped') return;
    const file = relative(process.cwd(), test.module.moduleId);
    this.#lines.push(`skipped: ${file} > ${test.fullName}: ${result.note ?? 'no reason given'}`);
  }

  onTestRunEnd(): void {
    for (const line of this.#lines) console.log(line);
  }
}
