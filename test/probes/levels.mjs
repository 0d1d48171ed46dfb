import { fileURLToPath } from 'node:url';

/**
 * A level of isolation that a machine can offer: the same probes are run at each.
 *
 * @typedef {object} Level
 * @property {string} name
 * @property {string} title
 * @property {() => string | undefined} missing Why this machine can't offer it; undefined: it can.
 * @property {(command: readonly string[]) => readonly string[]} start The command line by which the probes' host process
 *   is started there, and with it what is run unconfined.
 * @property {boolean} shows Whether programs are run unconfined there too: at one level is enough.
 * @property {object} sandbox Options that each sandbox of the probes gets there, such as a lower `require`.
 */

const LEAST = fileURLToPath(new URL('../fixtures/least.py', import.meta.url));

/** What a probe is to expect at a level where less is promised stands in the probe itself, below `weaker`.
 * @type {readonly Level[]} */
export const levels = [
  {
    name: 'full',
    title: 'every layer, with what rights this user has',
    missing: () => undefined,
    start: (command) => command,
    shows: true,
    sandbox: {},
  },
  {
    name: 'least',
    title: 'the least that a sandbox starts with by default: no Landlock, and of root what a container leaves it',
    missing: () => undefined,
    start: (command) => ['/usr/bin/python3', LEAST, ...command],
    shows: false,
    sandbox: {},
  },
];

/** The level that this process was started at.
 * @returns {Level} */
export function currentLevel() {
  const name = process.env.PINFOLD_PROBE_LEVEL ?? 'full';
  const level = levels.find((candidate) => candidate.name === name);
  if (!level) throw new Error(`There is no level ${name}`);
  return level;
}
