import { constants } from 'node:os';

const NUMBERS: ReadonlyMap<string, number> = new Map(Object.entries(constants.signals));
const NAMES = new Map<number, NodeJS.Signals>();
// Of two names for one number (SIGIOT, SIGABRT) the first listed is the usual one.
for (const [name, number] of NUMBERS) if (!NAMES.has(number)) NAMES.set(number, name as NodeJS.Signals);

/** Undefined where there is no such signal. */
export function signalNumber(name: string): number | undefined {
  return NUMBERS.get(name);
}

/** Null for a real-time signal, which has no name in Node. */
export function signalName(number: number): NodeJS.Signals | null {
  return NAMES.get(number) ?? null;
}
