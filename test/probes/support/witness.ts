import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { Readable } from 'node:stream';
import { expect, vi } from 'vitest';
import type { Sandbox } from '../../../src/index.js';
import { findDescendants, findRemains, findSupervisors } from '../../api/support/remains.js';
import type { Scene } from './scene.js';

/** What of the host a job could have touched. */
interface Picture {
  readonly descriptors: number;
  readonly rest: object;
}

/**
 * Lets another job run beside `action`, from before it to after it, and expects that one to end as if it were alone;
 * and that then nothing of either job is left: no process, mount, descriptor, control group or file.
 */
export async function withWitness<Value>(scene: Scene, sandbox: Sandbox, action: () => Promise<Value>): Promise<Value> {
  const before = takePicture(scene);
  const stdin = new Readable({ read: (() => undefined) as () => void });
  const witness = sandbox.run("import sys\nprint('up', flush=True)\nprint(sys.stdin.read(), sum(range(1000)))", {
    stdin,
    wallMs: 100_000,
  });
  await witness.stdout.getReader().read();
  const outcome = await Promise.allSettled([action()]);
  stdin.push('fine');
  stdin.push(null);
  expect(await witness, 'the job beside it').toMatchObject({ ok: true, stdout: 'up\nfine 499500\n', stderr: '' });
  if (outcome[0].status === 'rejected') throw outcome[0].reason;
  await vi.waitFor(() => expectSame(before, takePicture(scene)), 5_000);
  return outcome[0].value;
}

function expectSame(before: Picture, after: Picture): void {
  expect(after.rest, 'what is left').toEqual(before.rest);
  expect(after.descriptors).toBeLessThanOrEqual(before.descriptors);
}

/** No spares are kept, so that between two probes all of a supervisor's descendants are one zygote. */
function takePicture(scene: Scene): Picture {
  const { descriptors, mounts, ...remains } = findRemains();
  const supervisors = findSupervisors();
  return {
    descriptors,
    rest: {
      ...remains,
      // The kernel mounts tracefs by itself, where somebody looks for it.
      mounts: mounts.split('\n').filter((line) => !line.includes(' tracefs ')),
      processes: supervisors.map((pid) => [pid, findDescendants(pid)]),
      opened: supervisors.map((pid) => countDescriptors(pid)),
      // Others use /dev/shm as well.
      files: [readdirSync('/dev/shm').filter((name) => name.includes('probe')), readdirSync(scene.app).sort()],
      canary: readFileSync(scene.canary, 'utf8'),
      executables: Object.values(scene.executables).map((path) => {
        const { ino, size, mtimeMs, mode } = statSync(path);
        return [path, ino, size, mtimeMs, mode];
      }),
    },
  };
}

/** Control groups are kept for the next job, each with an eventfd; and so is the memory for a table of denials. */
const KEPT = /^(\/sys\/fs\/cgroup|anon_inode:\[eventfd\]|\/memfd:)/;

/** Without those of control groups. Null where this user may not look. */
function countDescriptors(pid: number): number | null {
  try {
    const names = readdirSync(`/proc/${pid}/fd`);
    return names.filter((name) => !KEPT.test(readlinkSync(`/proc/${pid}/fd/${name}`))).length;
  } catch {
    return null;
  }
}
