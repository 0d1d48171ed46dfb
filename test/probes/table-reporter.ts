import type { Reporter, TestCase, TestModule } from 'vitest/node';
import type { Row } from './support/row.js';

/** Prints one line a probe: what was expected, what came of it, and which layer refused. */
export default class TableReporter implements Reporter {
  readonly #rows = new Map<string, Row[]>();
  readonly #faults: string[] = [];
  readonly #counts = { passed: 0, failed: 0, skipped: 0 };

  onTestCaseResult(test: TestCase): void {
    const { state, errors } = test.result();
    if (state === 'pending') return;
    this.#counts[state] += 1;
    const { probe: row } = test.meta() as { probe?: Row };
    if (row)
      this.#remember(
        state === 'failed' ? { ...row, got: 'FAILED' } : { ...row, ...(state === 'skipped' && { got: 'not here' }) },
      );
    for (const { message, diff } of errors ?? []) {
      this.#faults.push(`failed: ${test.fullName}\n${message}${diff ? `\n${diff}` : ''}`);
    }
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    for (const module of modules)
      this.#faults.push(...module.errors().map(({ message, stack }) => `${message}\n${stack}`));
    const lines = [...this.#rows.values()].map(cellsOf);
    const heading = ['probe', 'what it tries', 'unconfined', 'expected', 'got', 'refused by'];
    console.log(layOut([heading, ...lines]));
    for (const fault of this.#faults) console.log(fault);
    const { passed, failed, skipped } = this.#counts;
    console.log(
      `${lines.length} probes: ${passed} tests passed, ${failed} failed, ${skipped} not possible for this user`,
    );
  }

  #remember(row: Row): void {
    const key = `${row.level} ${row.id} ${row.title}`;
    this.#rows.set(key, [...(this.#rows.get(key) ?? []), row]);
  }
}

function cellsOf(rows: readonly Row[]): string[] {
  const of = (part: Row['part']) => rows.find((row) => row.part === part);
  const { id, title, outcome, layer } = rows[0] as Row;
  const confined = of('confined');
  const expected = [outcome, confined?.expects].filter(Boolean).join(': ');
  return [id, title, of('control')?.got ?? '-', expected, confined?.got ?? '', confined?.layer ?? layer];
}

const WIDTHS = [3, 52, 24, 30, 26, 32];

function layOut(lines: readonly string[][]): string {
  const cell = (text: string, column: number) => {
    const width = WIDTHS[column] ?? 0;
    return (text.length > width ? `${text.slice(0, width - 1)}…` : text).padEnd(width);
  };
  return lines.map((line) => line.map(cell).join(' ').trimEnd()).join('\n');
}
