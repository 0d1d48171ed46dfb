import type { Probe } from '../probe.js';
export const host: readonly Probe[] = [];
