import { notAvailable } from '../check.js';
import type { Language } from './language.js';
import { python } from './python.js';

/** Every language that the interface names. 'command': code is an argv array; the others: source text. */
export const LANGUAGE_NAMES = ['python', 'node', 'java', 'shell', 'command'] as const;
export type LanguageName = (typeof LANGUAGE_NAMES)[number];

export const DEFAULT_LANGUAGE: LanguageName = 'node';
/** What a check of the machine uses where the caller names none. */
export const LANGUAGE_OF_CHECK: LanguageName = 'python';

const LANGUAGES: Readonly<Partial<Record<LanguageName, Language>>> = { python };

/** Throws SandboxError 'invalid-option' where the language is not part of this version. */
export function findLanguage(name: LanguageName): Language {
  const language = LANGUAGES[name];
  if (language) return language;
  const available = Object.keys(LANGUAGES).map((known) => `'${known}'`);
  throw notAvailable('language', name, `use ${available.join(', ')}`);
}
