import * as cpu from './sections/cpu.mjs';
import * as filter from './sections/filter.mjs';
import * as growth from './sections/growth.mjs';
import * as idle from './sections/idle.mjs';
import * as largeHost from './sections/large-host.mjs';
import * as latency from './sections/latency.mjs';
import * as memory from './sections/memory.mjs';
import * as preload from './sections/preload.mjs';
import * as streams from './sections/streams.mjs';
import * as throughput from './sections/throughput.mjs';

/**
 * All that is measured, in the order in which it is run and told. A new section is a file in `sections/` that exports
 * `name`, `title`, `about` and `measure` (see types.mjs), and a line here.
 * @type {import('./types.mjs').Section[]}
 */
export const SECTIONS = [latency, preload, throughput, largeHost, memory, idle, cpu, filter, growth, streams];
