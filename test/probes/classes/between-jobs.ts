import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Sandbox } from '../../../src/sandbox.js';
import { packageRoot } from '../../support/tree.js';
import { languages } from '../languages/index.js';
import type { Findings, Probe, ProbeOptions, Scripted, Stage } from '../probe.js';
import { parseFindings } from '../support/bare.js';
import { summarise } from '../support/row.js';

const { complete } = languages.python;

/** What a job finds; it has to end well. */
async function find(sandbox: Sandbox, body: string, options: ProbeOptions): Promise<Findings> {
  const result = await sandbox.run(complete(body), options);
  expect(result, result.stderr).toMatchObject({ reason: 'exited', exitCode: 0 });
  return parseFindings(result.stdout) ?? expect.fail(`no findings in ${result.stdout}`);
}

/** What a bare process finds, in a directory that several of them share. */
function findBare({ scene }: Stage, body: string, directory: string, args: readonly string[] = []): Findings {
  const { status, stdout, stderr } = spawnSync(scene.executables.python, ['-c', complete(body), ...args], {
    cwd: directory,
    encoding: 'utf8',
    timeout: 20_000,
  });
  expect(status, stderr).toBe(0);
  return parseFindings(stdout) ?? expect.fail(`no findings in ${stdout}`);
}

interface Pair extends Omit<Scripted, 'expects' | 'run' | 'shows'> {
  readonly first: string;
  readonly second: string;
  readonly confined: Findings;
  readonly control: Findings;
}

/** One job does something, another one looks for it: in the same sandbox, from forks of the same zygote. */
function pair({ first, second, confined, control, ...probe }: Pair): Scripted {
  const args = () => [randomBytes(8).toString('hex')];
  return {
    ...probe,
    expects: summarise(confined),
    run: async ({ sandbox, limits }) => {
      const options = { ...limits, args: args() };
      await find(sandbox, first, options);
      const findings = await find(sandbox, second, options);
      expect(findings).toEqual(confined);
      return summarise(findings);
    },
    shows: async (stage) => {
      const directory = stage.scene.directory();
      const names = args();
      findBare(stage, first, directory, names);
      expect(findBare(stage, second, directory, names)).toEqual(control);
      rmSync(directory, { recursive: true });
    },
  };
}

const key = 'key = int(sys.argv[1][:7], 16)';

export const betweenJobs: readonly Probe[] = [
  pair({
    id: 'X1',
    title: 'leaves files in its scratch',
    outcome: 'H',
    layer: 'mount namespace: a new tmpfs for each job',
    first: `
for place in (".", "/tmp"):
    for name in ("file", ".hidden"): open("%s/%s%s" % (place, name, sys.argv[1]), "w").close()`,
    second: `
found["seen"] = sum(sys.argv[1] in name for place in (".", "/tmp") for name in os.listdir(place))
for name in os.listdir("/tmp"):
    if sys.argv[1] in name: os.unlink("/tmp/" + name)`,
    confined: { seen: 0 },
    control: { seen: 4 },
  }),
  {
    id: 'X2',
    title: 'patches modules and builtins for the next one',
    outcome: 'H',
    layer: 'each job is a fork',
    expects: 'clean',
    run: async ({ sandbox, limits }) => {
      await find(sandbox, patch, limits);
      await find(sandbox, patch, limits);
      expect(await find(sandbox, look, limits)).toEqual({ patched: [] });
      return 'clean';
    },
    // What one interpreter for both would give.
    shows: async (stage) => {
      const directory = stage.scene.directory();
      expect(findBare(stage, `${patch}\n${look}`, directory)).toEqual({
        patched: ['builtins', 'json', 'os', 'sys.modules'],
      });
      rmSync(directory, { recursive: true });
    },
  },
  pair({
    id: 'X4',
    title: 'leaves memory, semaphores and queues of System V',
    outcome: 'E',
    layer: 'seccomp, ipc namespace',
    first: `${key}
call("shmget", key, 4096, 0o1600)
call("semget", key, 1, 0o1600)
call("msgget", key, 0o1600)`,
    second: `${key}
for get, control, arguments in (("shmget", "shmctl", (0, 0)), ("semget", "semctl", (0, 0)), ("msgget", "msgctl", (0,))):
    made = call(get, key, *arguments)
    if made >= 0: call(control, made, 0, 0, 0)
    found.pop(control, None)`,
    confined: { shmget: 'EPERM', semget: 'EPERM', msgget: 'EPERM' },
    control: { shmget: 'done', semget: 'done', msgget: 'done' },
  }),
  pair({
    id: 'X4',
    title: 'leaves queues and semaphores of POSIX',
    outcome: 'E',
    layer: 'seccomp, ipc namespace',
    first: `
call("mq_open", b"probe" + sys.argv[1].encode(), os.O_CREAT | os.O_RDWR, 0o600, 0)
open("/dev/shm/sem.probe" + sys.argv[1], "w").close()`,
    second: `
name = b"probe" + sys.argv[1].encode()
call("mq_open", name, os.O_RDWR, 0, 0)
if found["mq_open"] == "done": call("mq_unlink", name)
found.pop("mq_unlink", None)
attempt("semaphore", lambda: os.unlink("/dev/shm/sem.probe" + sys.argv[1]))`,
    confined: { mq_open: 'EPERM', semaphore: 'ENOENT' },
    control: { mq_open: 'done', semaphore: 'done' },
  }),
  pair({
    id: 'X5',
    title: 'leaves shared memory in /dev/shm',
    outcome: 'H',
    layer: 'mount namespace: a new tmpfs for each job',
    first: 'open("/dev/shm/probe" + sys.argv[1], "w").close()',
    second: `
path = "/dev/shm/probe" + sys.argv[1]
found["seen"] = os.path.exists(path)
if found["seen"]: os.unlink(path)`,
    confined: { seen: false },
    control: { seen: true },
  }),
  {
    id: 'X7',
    title: 'reads its environment',
    outcome: 'H',
    layer: 'a new environment',
    expects: 'exactly what was given',
    run: async ({ sandbox, limits }) => {
      const env = { PROBE: 'x', EMPTY: '', ['__proto__']: 'y' };
      const body = 'found["env"] = sorted(map(list, os.environ.items())); os.environ["LEFT"] = "behind"';
      expect(await find(sandbox, body, { ...limits, env })).toEqual({ env: Object.entries(env).sort() });
      expect(await find(sandbox, body, limits)).toEqual({ env: [] });
      return 'exactly what was given';
    },
    shows: async (stage) => {
      const directory = stage.scene.directory();
      const body = 'found["secret"] = os.environ.get("PINFOLD_PROBE_SECRET")';
      expect(findBare(stage, body, directory)).toEqual({ secret: stage.scene.secret });
      rmSync(directory, { recursive: true });
    },
  },
  {
    id: 'X9',
    title: 'compares hash seeds and random numbers',
    outcome: 'H',
    layer: 'reseeded in each fork; the hash seed is of the zygote, as documented',
    expects: 'random numbers differ; hashes do between sandboxes',
    run: async ({ sandbox, open, limits }) => {
      const body =
        'import random, uuid; found.update(hash=hash("x"), random=random.random(), uuid=str(uuid.uuid4()), bytes=os.urandom(8).hex(), own=random.Random().random())';
      const runs = [
        await find(sandbox, body, limits),
        await find(sandbox, body, limits),
        await find(open(), body, limits),
      ];
      for (const name of ['random', 'uuid', 'bytes', 'own'])
        expect(new Set(runs.map((run) => run[name])).size, name).toBe(3);
      expect(runs[2]?.hash).not.toBe(runs[0]?.hash);
      for (const page of ['SECURITY.md', 'docs/python.md']) {
        expect(readFileSync(join(packageRoot, page), 'utf8')).toMatch(/hash\s+seed/);
      }
      return 'random numbers differ; hashes do between sandboxes';
    },
    // One interpreter that is forked twice, without a word from anybody, repeats itself.
    shows: async (stage) => {
      const directory = stage.scene.directory();
      const body = `
import random
generator = random.Random()
for name in ("a", "b"):
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, str(generator.random()).encode())
        os._exit(0)
    found[name] = os.read(reader, 99).decode()
    os.wait()`;
      const { a, b } = findBare(stage, body, directory);
      expect(a).toBe(b);
      rmSync(directory, { recursive: true });
    },
  },
  {
    id: 'X11',
    title: 'watches the shared tree',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
for name, arguments in (("inotify_init", ()), ("inotify_init1", (0,))):
    watch = call(name, *arguments)
call("inotify_add_watch", watch, b"/usr/lib", 0xfff)
call("fanotify_init", 0, 0)
signal.signal(signal.SIGIO, signal.SIG_IGN)
attempt("notice", lambda: __import__("fcntl").fcntl(os.open("/usr/lib", os.O_RDONLY), 1026, 1))`,
    },
    confined: {
      ...Object.fromEntries(['inotify_init', 'inotify_init1', 'inotify_add_watch'].map((name) => [name, 'ENOSYS'])),
      fanotify_init: 'EPERM',
      notice: 'EPERM',
    },
    denied: ['fanotify_init', 'fcntl'],
    control: expect.objectContaining({
      ...Object.fromEntries(['inotify_init', 'inotify_init1', 'inotify_add_watch'].map((name) => [name, 'done'])),
      notice: 'done',
    }),
  },
  {
    id: 'X12',
    title: 'looks for jobs beside it',
    outcome: 'H',
    layer: 'pid namespace, /proc with hidepid',
    expects: 'sees itself alone',
    run: async ({ sandbox, limits }) => {
      const other = sandbox.run('import time\nprint("up", flush=True)\ntime.sleep(60)', {
        ...limits,
        args: ['beside'],
      });
      await other.stdout.getReader().read();
      const body = `
found["pids"] = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
found["me"] = os.getpid()
found["reached"] = 0
for pid in range(1, 1 << 15):
    if pid in (1, os.getpid()): continue
    try:
        os.kill(pid, 0)
        found["reached"] += 1
    except OSError: pass
found["sids"] = [os.getsid(0), os.getpgid(0)]`;
      const findings = await find(sandbox, body, limits);
      other.kill('SIGKILL');
      await other;
      expect(findings).toEqual({ pids: [2], me: 2, reached: 0, sids: [2, 2] });
      return 'sees itself alone';
    },
    shows: async (stage) => {
      const directory = stage.scene.directory();
      const body =
        'attempt("kill", lambda: os.kill(int(sys.argv[1]), 0))\nfound["seen"] = sys.argv[1] in os.listdir("/proc")';
      expect(findBare(stage, body, directory, [`${stage.scene.victim}`])).toEqual({ kill: 'done', seen: true });
      rmSync(directory, { recursive: true });
    },
  },
  {
    id: 'X13',
    title: 'crashes, in many ways, while others run',
    outcome: 'H',
    layer: 'each job has processes, limits and pipes of its own',
    expects: 'the others are well',
    run: async ({ sandbox, limits }) => {
      const crashes = [
        'import os; os.abort()',
        'import ctypes; ctypes.string_at(8)',
        'x = bytearray(1 << 30)',
        'import os, signal; os.kill(os.getpid(), signal.SIGKILL)',
        'import os\nfor fd in (0, 1, 2): os.close(fd)\nos._exit(9)',
        'while True: pass',
      ];
      const other = sandbox.run('import time\nfor n in range(30):\n  print(n, flush=True)\n  time.sleep(0.02)', limits);
      const reasons = [];
      for (const code of crashes)
        reasons.push((await sandbox.run(code, { ...limits, memoryBytes: '64MiB', cpuMs: 200 })).reason);
      expect(reasons).toEqual(['signaled', 'signaled', 'memory-limit', 'signaled', 'exited', 'cpu-limit']);
      expect(await other).toMatchObject({ ok: true, stdout: Array.from({ length: 30 }, (_, n) => `${n}\n`).join('') });
      return 'the others are well';
    },
    // Threads of one process, as an isolate without processes has them, end together.
    shows: async ({ scene }) => {
      const body =
        'import threading, os, time\nthreading.Thread(target=os.abort).start()\ntime.sleep(5)\nprint("fine")';
      const { signal, stdout } = spawnSync(scene.executables.python, ['-c', body], { encoding: 'utf8' });
      expect([signal, stdout]).toEqual(['SIGABRT', '']);
    },
  },
];

const patch = `
import builtins
builtins.probe = json.probe = os.probe = lambda *_: None
sys.modules["probe"] = sys
open.__class__
sys.path.insert(0, "/tmp/probe")
os.environ["PROBE"] = "x"`;

const look = `
import builtins
found["patched"] = [name for name, module in (("builtins", builtins), ("json", json), ("os", os)) if hasattr(module, "probe")]
found["patched"] += ["sys.modules"] if "probe" in sys.modules else []`;
