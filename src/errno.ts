import { getSystemErrorName } from 'node:util';

/** `EPERM` for 1; a number that Node has no name for stays readable as `errno 1234`. `errno` is positive. */
export function errnoName(errno: number): string {
  if (!Number.isInteger(errno) || errno <= 0) return `errno ${errno}`;
  const name = getSystemErrorName(-errno);
  return name.startsWith('E') ? name : `errno ${errno}`;
}

const EXHAUSTION = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'ENOSPC']);

/** True where the machine, or this user's share of it, ran out of something. */
export function isExhaustion(errno: number): boolean {
  return EXHAUSTION.has(errnoName(errno));
}
