/** What went wrong on the host's or the caller's side. Stable: programs may compare with these. */
export type SandboxErrorCode =
  | 'invalid-option'
  | 'unsupported-platform'
  | 'isolation-unavailable'
  | 'interpreter-not-found'
  | 'queue-full'
  | 'closed'
  | 'supervisor-lost'
  | 'spawn-failed'
  | 'resources-exhausted';

/**
 * A fault of the host or of the caller. What untrusted code does never throws one: that is data in the result.
 *
 * `code` is stable; `message` names the offending value and says what to do.
 */
export class SandboxError extends Error {
  readonly code: SandboxErrorCode;

  constructor(code: SandboxErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SandboxError';
    this.code = code;
  }
}
