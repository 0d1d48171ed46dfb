import type { Probe } from '../probe.js';
export const betweenJobs: readonly Probe[] = [];
