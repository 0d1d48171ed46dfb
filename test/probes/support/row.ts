import type { RunResult } from '../../../src/result.js';
import type { Findings, Outcome } from '../probe.js';

/** What the reporter prints of one test. */
export interface Row {
  readonly level: string;
  readonly id: string;
  readonly title: string;
  readonly outcome: Outcome;
  readonly layer: string;
  readonly part: 'control' | 'confined';
  readonly expects?: string;
  readonly got?: string;
}

/** All findings in a few words: each answer once. */
export function summarise(findings: Findings | undefined): string {
  const answers = Object.values(findings ?? {}).map((value) => (typeof value === 'string' ? value : describe(value)));
  return [...new Set(answers)].join(', ');
}

function describe(value: unknown): string {
  if (value !== null && typeof value === 'object' && 'asymmetricMatch' in value) return `${value}`;
  return JSON.stringify(value);
}

export function describeResult(result: RunResult, findings: Findings | undefined): string {
  if (result.reason === 'exited') return summarise(findings) || `exit ${result.exitCode}`;
  return result.reason === 'signaled' ? `${result.signalName}` : result.reason;
}
