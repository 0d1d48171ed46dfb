/**
 * A level of isolation that a machine can offer: the same probes are run at each.
 *
 * @typedef {object} Level
 * @property {string} name
 * @property {string} title
 * @property {() => string | undefined} missing Why this machine can't offer it; undefined: it can.
 * @property {(command: readonly string[]) => readonly string[]} start The command line by which the probes' host process,
 *   and with it every unconfined control, is started there.
 * @property {object} sandbox Options that each sandbox of the probes gets there, such as a lower `require`.
 */

/** What a probe is to expect at a level where less is promised stands in the probe itself, below `weaker`.
 * @type {readonly Level[]} */
export const levels = [
  {
    name: 'full',
    title: 'every layer, with what rights this user has',
    missing: () => undefined,
    start: (command) => command,
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
