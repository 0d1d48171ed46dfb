import { readdirSync, readFileSync } from 'node:fs';

/**
 * The children of a process, whichever of its threads started them.
 * @param {number} pid
 * @returns {number[]}
 */
export function childrenOf(pid) {
  return readdirSync(`/proc/${pid}/task`)
    .flatMap((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' '))
    .filter((text) => text !== '')
    .map(Number);
}

/**
 * A process and all below it.
 * @param {number} pid
 * @returns {number[]}
 */
export function treeOf(pid) {
  return [pid, ...childrenOf(pid).flatMap(treeOf)];
}

/** The supervisors of this process's sandboxes. */
export function supervisors() {
  // The kernel cuts names after 15 bytes.
  return childrenOf(process.pid).filter((pid) => read(pid, 'comm').startsWith('pinfold-supervi'));
}

/** The supervisor of the only sandbox. */
export function onlySupervisor() {
  const [pid, another] = supervisors();
  if (pid === undefined || another !== undefined) throw new Error('There must be exactly one supervisor');
  return pid;
}

/**
 * Spares and jobs, each with all of its processes. A supervisor's children are its zygote, which has none of its own, and
 * the pid 1 of each spare and job.
 * @param {number} supervisor
 */
export function groupsOf(supervisor) {
  return childrenOf(supervisor)
    .map(treeOf)
    .filter((tree) => tree.length > 1);
}

/**
 * Clock ticks (usually a hundredth of a second) of CPU that processes have used.
 * @param {readonly number[]} pids
 */
export function cpuTicks(pids) {
  return sum(pids, (pid) => {
    // The name before it may hold blanks and parentheses.
    const fields = read(pid, 'stat')
      .replace(/^.*\) /s, '')
      .split(' ');
    return Number(fields[11]) + Number(fields[12]);
  });
}

/**
 * The same in nanoseconds, as the scheduler counts.
 * @param {readonly number[]} pids
 */
export function cpuNanoseconds(pids) {
  return sum(pids, (pid) =>
    sum(readdirSync(`/proc/${pid}/task`), (thread) => Number(read(pid, `task/${thread}/schedstat`).split(' ')[0])),
  );
}

/**
 * Bytes of memory of processes together: a page that several share counts for each by its share (PSS).
 * Null where this user may not read it.
 * @param {readonly number[]} pids
 */
export function pssBytes(pids) {
  try {
    return sum(pids, (pid) => Number(/^Pss: +(\d+) kB$/m.exec(read(pid, 'smaps_rollup'))?.[1]) * 1024);
  } catch {
    return null;
  }
}

/** What the kernel believes could be given out without swapping. */
export function availableBytes() {
  return Number(/^MemAvailable: +(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]) * 1024;
}

/**
 * @param {number} pid
 * @param {string} file
 */
function read(pid, file) {
  return readFileSync(`/proc/${pid}/${file}`, 'utf8');
}

/**
 * @template T
 * @param {readonly T[]} list
 * @param {(item: T) => number} measure
 */
function sum(list, measure) {
  return list.reduce((total, item) => total + measure(item), 0);
}
