import { readdirSync, readFileSync } from 'node:fs';

/** What sandboxes can leave behind, seen from outside. Sandboxes of other test runs on this machine don't count. */
export interface Remains {
  /** Supervisors that are children of this process, also ended ones that nobody reaped. */
  readonly supervisors: number;
  /** Zygotes, spares and jobs whose supervisor is gone. */
  readonly orphans: string[];
  /** Control groups whose supervisor is gone. */
  readonly groups: string[];
  readonly descriptors: number;
  readonly mounts: string;
}

const SUPERVISOR = 'pinfold-supervi';
const PRESCRIPT = '/.pinfold/';

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  readonly commandLine: string;
}

export function findRemains(): Remains {
  const processes = new Map(readProcesses().map((process) => [process.pid, process]));
  const hasSupervisor = (process: Process | undefined): boolean =>
    process !== undefined && (process.name === SUPERVISOR || hasSupervisor(processes.get(process.parent)));
  const all = [...processes.values()];
  return {
    supervisors: all.filter(({ name, parent }) => name === SUPERVISOR && parent === process.pid).length,
    orphans: all
      .filter((candidate) => candidate.commandLine.includes(PRESCRIPT) && !hasSupervisor(candidate))
      .map(({ pid, commandLine }) => `${pid} ${commandLine}`),
    groups: findGroups('/sys/fs/cgroup').filter((path) => !processes.has(supervisorOf(path))),
    descriptors: readdirSync('/proc/self/fd').length,
    mounts: readFileSync('/proc/self/mountinfo', 'utf8'),
  };
}

/** The supervisors that are children of this process. */
export function findSupervisors(): number[] {
  return readProcesses()
    .filter(({ name, parent }) => name === SUPERVISOR && parent === process.pid)
    .map(({ pid }) => pid);
}

/** Every process below `pid`, nearest first. */
export function findDescendants(pid: number): number[] {
  const processes = readProcesses();
  const found = [pid];
  for (const parent of found) {
    found.push(...processes.filter((process) => process.parent === parent).map((process) => process.pid));
  }
  return found.slice(1);
}

export function isAlive(pid: number): boolean {
  return readProcess(`${pid}`) !== undefined;
}

function readProcesses(): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(readProcess)
    .filter((process) => process !== undefined);
}

function readProcess(pid: string): Process | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [, name = '', rest = ''] = /^\d+ \((.*)\) (.*)$/s.exec(stat) ?? [];
    const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    return { pid: Number(pid), parent: Number(rest.split(' ')[1]), name, commandLine };
  } catch {
    // It has just ended.
    return undefined;
  }
}

function findGroups(root: string): string[] {
  try {
    const names = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return names.flatMap(({ name }) => {
      const path = `${root}/${name}`;
      return name.startsWith('pinfold') ? [path] : findGroups(path);
    });
  } catch {
    return [];
  }
}

function supervisorOf(groupPath: string): number {
  return Number(/pinfold\D*(\d+)/.exec(groupPath)?.[1]);
}
