import { filesystem } from './classes/filesystem.js';
import type { Probe } from './probe.js';

/** Every probe, in the order of the table. */
export const probes: readonly Probe[] = [...filesystem];
