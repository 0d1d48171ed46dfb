/**
 * One thing that is measured, again and again. The first row of a series is what the others are compared with.
 * @typedef {object} Row
 * @property {string} name
 * @property {() => Promise<number>} sample  One measurement. It rejects where the output was not what it must be.
 */

/**
 * @typedef {object} Summary
 * @property {string} name
 * @property {number} count
 * @property {number} p50
 * @property {number} p95
 * @property {number} ratio     p50 against the base's p50
 * @property {number} p95Ratio  p95 against the base's p50
 */

/**
 * @typedef {object} Column
 * @property {string} heading
 * @property {number} [digits]  After the point, for numbers. Default 2.
 */

/** @typedef {string | number | null} Cell  null: could not be measured */

/**
 * @typedef {object} Table
 * @property {string} title
 * @property {Column[]} columns
 * @property {Cell[][]} rows
 */

/**
 * @typedef {object} Bars
 * @property {'bars'} type
 * @property {string} file      Name of the picture, without its ending.
 * @property {string} title
 * @property {string} unit
 * @property {{ name: string, value: number, isOurs: boolean }[]} bars
 */

/**
 * @typedef {object} Lines
 * @property {'lines'} type
 * @property {string} file
 * @property {string} title
 * @property {string} unit
 * @property {string} across    What the horizontal axis tells.
 * @property {string[]} ticks   Its places, at equal distances.
 * @property {{ name: string, values: number[], isOurs: boolean }[]} lines
 */

/** @typedef {Bars | Lines} Picture */

/**
 * What the measured value must be at most, or at least.
 * @typedef {object} Target
 * @property {string} name
 * @property {'at most' | 'at least'} bound
 * @property {number} limit
 * @property {number | null} measured  null: could not be measured here
 * @property {string} [unit]           Default: none, a ratio.
 */

/**
 * @typedef {object} Findings
 * @property {Table[]} tables
 * @property {Picture[]} [pictures]
 * @property {Target[]} [targets]
 * @property {string[]} [notes]        Sentences: what was left out and why, what to know when reading.
 */

/**
 * @typedef {object} Context
 * @property {string} executable       The interpreter's real path: everybody starts the same program.
 * @property {number} rounds
 * @property {boolean} isSmoke         Tiny sizes: only whether everything runs and gives the right output.
 * @property {string} scratch          A directory of this section's own.
 * @property {(text: string) => void} say
 */

/**
 * @typedef {object} Section
 * @property {string} name             For `--only`.
 * @property {string} title
 * @property {string} about            What is measured and how, in Markdown.
 * @property {(context: Context) => Promise<Findings>} measure
 */

export {};
