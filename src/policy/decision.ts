/**
 * What the kernel does with a call: let it through, answer with that error, or kill the whole process. EPERM, EOPNOTSUPP and
 * ENOSYS are told in the run's `denials`. The others are not: ordinary programs get them all the time, and go on.
 */
export type Ruling = 'allow' | 'kill' | Refusal;
export type Refusal = 'EPERM' | 'EOPNOTSUPP' | 'ENOSYS' | 'ENOSYS, untold' | 'EINVAL' | 'ENOTTY';

/** One number, or all from the first to the last; unsigned, 32 bits. */
export type Span = number | readonly [first: number, last: number];

/**
 * Decides by one argument: the first case that holds its value, else `otherwise`; spans of one choice never overlap.
 *
 * Only the argument's low 32 bits count, after `mask` where there is one. That is no shortcut: the kernel declares each
 * argument that the policy looks at as 32 bits wide (or cuts it to that), so what stands in the high half can't change
 * what a call does, and must not change how it is judged.
 */
export interface Choice {
  readonly argument: 0 | 1 | 2 | 3 | 4 | 5;
  readonly mask?: number;
  readonly cases: readonly { readonly values: readonly Span[]; readonly decision: Decision }[];
  readonly otherwise: Decision;
}

export type Decision = Ruling | Choice;
