import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { realInterpreter } from './measure/bare.mjs';
import { SECTIONS } from './sections.mjs';

const DOCS = fileURLToPath(new URL('../docs', import.meta.url));

/** What the command line asks for. */
export function readArguments() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true },
      rounds: { type: 'string' },
      executable: { type: 'string', default: '/usr/bin/python3' },
      json: { type: 'string' },
      docs: { type: 'string' },
      smoke: { type: 'boolean', default: false },
    },
  });
  const isWhole = values.only === undefined && !values.smoke;
  return {
    sections: chosenSections(values.only),
    rounds: readRounds(values.rounds ?? (values.smoke ? '1' : '100')),
    isSmoke: values.smoke,
    executable: realInterpreter(values.executable),
    json: values.json,
    docs: values.docs ?? (isWhole ? DOCS : undefined),
  };
}

/** @param {string[] | undefined} names */
function chosenSections(names) {
  if (!names) return SECTIONS;
  return names.map((name) => {
    const section = SECTIONS.find((candidate) => candidate.name === name);
    if (section) return section;
    throw new RangeError(`--only is one of ${SECTIONS.map((known) => known.name).join(', ')}, not ${name}`);
  });
}

/** @param {string} text */
function readRounds(text) {
  const rounds = Number(text);
  if (Number.isInteger(rounds) && rounds >= 1) return rounds;
  throw new RangeError(`--rounds is a positive integer, not ${text}`);
}
