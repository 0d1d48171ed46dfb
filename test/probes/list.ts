import { betweenJobs } from './classes/between-jobs.js';
import { descriptors } from './classes/descriptors.js';
import { filesystem } from './classes/filesystem.js';
import { host } from './classes/host.js';
import { network } from './classes/network.js';
import { processes } from './classes/process.js';
import { resources } from './classes/resources.js';
import { systemCalls } from './classes/syscalls.js';
import type { Probe } from './probe.js';

/** Every probe, in the order of the table. */
export const probes: readonly Probe[] = [
  ...filesystem,
  ...processes,
  ...descriptors,
  ...systemCalls,
  ...resources,
  ...network,
  ...betweenJobs,
  ...host,
];
