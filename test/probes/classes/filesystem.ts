import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, relative } from 'node:path';
import { expect } from 'vitest';
import type { RunOptions } from '../../../src/options.js';
import { findSupervisors } from '../../api/support/remains.js';
import { runCommand } from '../../support/command.js';
import { packageRoot } from '../../support/tree.js';
import { asRoot, each, type Findings, NotHere, type Probe } from '../probe.js';
import type { Scene } from '../support/scene.js';

const VIEW = 'the private root: it is not in the view';

/** Findings of `paths` in the sandbox: none is there, but where the interpreter itself lives below one. */
const hidden = (paths: readonly string[], scene: Scene) =>
  Object.fromEntries(paths.map((path) => [path, scene.executables.python.startsWith(`${path}/`) ? 'done' : 'ENOENT']));

const otherProcess = ['first', "host's"].flatMap((name) =>
  ['root', 'cwd', 'fd', 'exe', 'environ'].map((entry) => `${name} ${entry}`),
);

const switches =
  'kcore kallsyms kmsg sysrq-trigger sys/kernel/core_pattern sys/kernel/modprobe sys/vm/overcommit_memory'.split(' ');

/** Landlock, and the rights of somebody who doesn't own the file, are asked before a mount is looked at. */
const notWritten = (scene: Scene, byMount = 'EROFS') => {
  const ownsRuntime = scene.isRoot && !scene.has('processes', 'own uid');
  return scene.has('filesystem', 'Landlock') || !ownsRuntime ? 'EACCES' : byMount;
};

const hash = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
let hashBefore = '';

/** Nobody's id in particular: for a control that needs somebody without rights. */
const ORDINARY = 65_533;

const ROOTS_FILES = new NotHere('only root can make files that give rights to others');

function makePrivilegedFiles(scene: Scene): string {
  const directory = scene.directory();
  chmodSync(directory, 0o755);
  for (const name of ['setuid', 'capable']) copyFileSync('/bin/cat', join(directory, name));
  chmodSync(join(directory, 'setuid'), 0o4755);
  // Effective, and CAP_NET_RAW permitted: struct vfs_cap_data, version 2.
  const set = `import os, sys; os.setxattr(sys.argv[1], "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))`;
  runCommand(scene.executables.python, ['-c', set, join(directory, 'capable')]);
  return directory;
}

function rights(status: string): { uid: string; capabilities: bigint } {
  const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';
  return { uid: field('Uid').replaceAll('\t', ' '), capabilities: BigInt(`0x${field('CapEff') || '0'}`) };
}

/** What a job can leave for a host that would take files from it. */
const leftBehind: readonly [string, string, string, Findings, Findings][] = [
  [
    'F15',
    'leaves files with setuid bits',
    `
open("out", "w").close()
attempt("chmod", lambda: os.chmod("out", 0o6777))`,
    { chmod: 'done' },
    { chmod: 'done' },
  ],
  [
    'F16',
    'leaves symbolic links, also in place of its own directory',
    `
attempt("file", lambda: os.symlink(sys.argv[1], "out"))
attempt("directory", lambda: os.symlink("/etc", "out-directory"))
attempt("loop", lambda: os.symlink("loop", "loop"))
attempt("read", lambda: read("out"))`,
    { ...each(['file', 'directory', 'loop'], 'done'), read: 'ENOENT' },
    each(['file', 'directory', 'loop', 'read'], 'done'),
  ],
  [
    'F18',
    'leaves hard links to files that it can only read',
    `
source = "/etc/passwd" if len(sys.argv) < 3 else sys.argv[1]
attempt("link", lambda: os.link(source, "out"))
attempt("other way", lambda: os.link("/proc/self/exe", "out2", follow_symlinks=True))
if len(sys.argv) > 2: del found["other way"]`,
    each(['link', 'other way'], 'EXDEV'),
    { link: 'done' },
  ],
  [
    'F19',
    'leaves FIFOs and sockets, and tries devices',
    `
attempt("fifo", lambda: os.mkfifo("out"))
attempt("socket", lambda: os.mknod("out2", 0o140600))`,
    { fifo: 'done', socket: 'EPERM' },
    { fifo: 'done', socket: 'done' },
  ],
  [
    'F21',
    'leaves a tree that is 10,000 levels deep, and as many entries as it may',
    `
levels, entries = (10_000, 100_000) if len(sys.argv) < 3 else (500, 20_000)
try:
    for depth in range(levels):
        os.mkdir("d")
        os.chdir("d")
    found["deep"] = "done"
except OSError as error: found["deep"] = name_of(error.errno)
os.chdir("/tmp" if len(sys.argv) < 3 else "/proc/self/cwd")
try:
    for number in range(entries): os.close(os.open("e%d" % number, os.O_CREAT))
    found["wide"] = "done"
except OSError as error: found["wide"] = name_of(error.errno)`,
    { deep: 'done', wide: 'ENOSPC' },
    { deep: 'done', wide: 'done' },
  ],
  [
    'F22',
    'leaves files with names that are paths, escapes or no text',
    `
names = [b"a\\nb", b"\\xff\\xfe", b"__proto__", b"constructor", b"..x", b" ", b"-rf", b"%2e%2e%2fx", b"\\x1b[2J", b"x" * 255, b"C:\\\\x"]
for number, name in enumerate(names): attempt(str(number), lambda: open(name, "wb").close())
attempt("up", lambda: open("../x", "w").close())
attempt("long", lambda: open("x" * 256, "w").close())
found["seen"] = len(set(os.listdir(b".")) & set(names))
if os.path.exists("../x"): os.unlink("../x")`,
    {
      ...each(
        Array.from({ length: 11 }, (_, n) => `${n}`),
        'done',
      ),
      up: 'EROFS',
      long: 'ENAMETOOLONG',
      seen: 11,
    },
    {
      ...each(
        Array.from({ length: 11 }, (_, n) => `${n}`),
        'done',
      ),
      up: 'done',
      long: 'ENAMETOOLONG',
      seen: 11,
    },
  ],
];

export const filesystem: readonly Probe[] = [
  {
    id: 'F1',
    title: 'reads /etc/shadow',
    outcome: 'H',
    layer: VIEW,
    program: { python: 'attempt("shadow", lambda: read("/etc/shadow"))' },
    confined: { shadow: 'ENOENT' },
    control: asRoot({ shadow: 'done' }),
  },
  {
    id: 'F1',
    title: 'reads home directories, and a canary beside the app',
    outcome: 'H',
    layer: VIEW,
    program: {
      python: `for path in sys.argv[1:4]: attempt(path, lambda: os.listdir(path) if os.path.isdir(path) else read(path))`,
    },
    args: (scene) => [homedir(), '/home', scene.canary],
    confined: (scene) => hidden([homedir(), '/home', scene.canary], scene),
    control: (scene) => each([homedir(), '/home', scene.canary], 'done'),
  },
  {
    id: 'F1',
    title: 'lists a home directory that the interpreter is in',
    outcome: 'H',
    layer: VIEW,
    program: {
      python: `
home = sys.argv[1]
found["seen"] = sorted(os.listdir(home)) if os.path.isdir(home) else []
parent = os.path.dirname(sys.argv[2])
found["beside"] = len(os.listdir(parent)) - 1 if os.path.isdir(parent) else 0`,
    },
    args: (scene) => [homedir(), join(scene.executables.python, '../..')],
    confined: (scene) => {
      const below = relative(homedir(), scene.executables.python);
      return { seen: below.startsWith('..') ? [] : [below.split('/')[0]], beside: expect.any(Number) };
    },
    control: { seen: expect.any(Array), beside: expect.any(Number) },
    check: ({ stdout }, scene) => {
      // Other versions beside it, in pyenv's way, are not in the view either.
      if (scene.executables.python.startsWith(homedir())) expect(JSON.parse(stdout).beside).toBe(0);
    },
  },
  {
    id: 'F1',
    title: 'walks the whole tree for a canary',
    outcome: 'H',
    layer: VIEW,
    program: {
      python: `
wanted = bytes.fromhex(sys.argv[1]).decode()
top = sys.argv[2]
found["hits"] = sum(wanted in names or wanted in directory for directory, _, names in os.walk(top) if not directory.startswith("/proc/"))`,
    },
    args: (scene) => [Buffer.from(scene.app).toString('hex'), '/'],
    controlArgs: (scene) => [Buffer.from(scene.app).toString('hex'), join(scene.app, '..')],
    confined: { hits: 0 },
    control: { hits: 1 },
  },
  {
    id: 'F2',
    title: "reads the app's directory and its .env, and looks for docker.sock",
    outcome: 'H',
    layer: VIEW,
    program: {
      python: `
app, root = sys.argv[1:3]
attempt("app", lambda: os.listdir(app))
attempt(".env", lambda: read(app + "/.env"))
attempt("package", lambda: read(root + "/package.json"))
attempt("docker.sock", lambda: os.stat(app + "/docker.sock"))
found["system's docker.sock"] = os.path.exists("/var/run/docker.sock") or os.path.exists("/run/docker.sock")`,
    },
    args: (scene) => [scene.app, packageRoot],
    confined: { ...each(['app', '.env', 'package', 'docker.sock'], 'ENOENT'), "system's docker.sock": false },
    control: {
      ...each(['app', '.env', 'package', 'docker.sock'], 'done'),
      "system's docker.sock": expect.any(Boolean),
    },
  },
  {
    id: 'F3',
    title: 'creates a file below every mount',
    outcome: 'E',
    layer: 'read-only mounts, Landlock',
    program: {
      python: `
mounts = {line.split()[4] for line in open("/proc/self/mountinfo")} | set(sys.argv[1:2])
writable, refusals = [], set()
for mount in sorted(mounts):
    directory = mount if os.path.isdir(mount) else os.path.dirname(mount)
    path = directory + "/.probe"
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL))
        os.unlink(path)
        writable.append(directory)
    except OSError as error:
        refusals.add(name_of(error.errno))
found["writable"] = sorted(set(writable))
found["refusals"] = sorted(refusals)`,
    },
    args: () => ['/'],
    controlArgs: () => ['.'],
    confined: { writable: ['/dev/shm', '/tmp', '/work'], refusals: ['ENOENT', 'EROFS'] },
    control: { writable: expect.arrayContaining(['.']), refusals: expect.any(Array) },
  },
  {
    id: 'F3',
    title: 'changes a file, a directory and metadata of the runtime',
    outcome: 'E',
    layer: 'read-only mounts, Landlock',
    program: {
      python: `
import shutil
path = sys.argv[1] if len(sys.argv) > 2 else json.__file__
if path != json.__file__: shutil.copy(json.__file__, path)
beside = path + ".probe"
attempt("open", lambda: os.close(os.open(path, os.O_WRONLY)))
attempt("read-write", lambda: os.close(os.open(path, os.O_RDWR | os.O_APPEND)))
attempt("truncate", lambda: os.truncate(path, os.stat(path).st_size))
attempt("chmod", lambda: os.chmod(path, 0o644))
attempt("chown", lambda: os.chown(path, -1, os.getgid()))
attempt("utime", lambda: os.utime(path))
attempt("symlink", lambda: os.symlink("x", beside + "1"))
attempt("mkdir", lambda: os.mkdir(beside + "2"))
attempt("mkfifo", lambda: os.mkfifo(beside + "3"))
attempt("link", lambda: os.link(path, beside + "4"))
attempt("rename", lambda: os.rename(path, beside))
attempt("unlink", lambda: os.unlink(beside if os.path.exists(beside) else path))`,
    },
    controlArgs: () => ['copy.py'],
    confined: (scene) => ({
      ...each(['open', 'read-write', 'truncate'], notWritten(scene)),
      ...each(['chmod', 'chown', 'utime', 'symlink', 'mkdir', 'mkfifo', 'link', 'rename', 'unlink'], 'EROFS'),
    }),
    control: each(
      'open read-write truncate chmod chown utime symlink mkdir mkfifo link rename unlink'.split(' '),
      'done',
    ),
  },
  {
    id: 'F5',
    title: 'looks where it is, and goes up from there',
    outcome: 'H',
    layer: VIEW,
    program: {
      python: `
places = [os.getcwd()]
for _ in range(20):
    os.chdir("..")
    places.append(os.getcwd())
os.chdir("/proc/self/cwd/../..")
places.append(os.getcwd())
found["places"] = sorted(set(places))
found["link"] = os.readlink("/proc/self/root")`,
    },
    confined: { places: ['/', '/work'], link: '/' },
    control: { places: expect.arrayContaining(['/var/tmp']), link: '/' },
  },
  {
    id: 'F5',
    title: 'climbs out with a directory that it moved',
    outcome: 'H',
    layer: VIEW,
    program: {
      python: `
os.makedirs("a/b/c")
inner = os.open("a/b/c", os.O_RDONLY)
os.rename("a/b", "b")
os.fchdir(inner)
for _ in range(30): os.chdir("..")
found["root"] = os.stat(".").st_ino == os.stat("/").st_ino
attempt("canary", lambda: read("." + sys.argv[1]))`,
    },
    args: (scene) => [scene.canary],
    confined: { root: true, canary: 'ENOENT' },
    control: { root: true, canary: 'done' },
  },
  {
    id: 'F6',
    title: "goes through another process's root and directory",
    outcome: 'H',
    layer: 'pid namespace, /proc with hidepid',
    program: {
      python: `
for pid, name in zip(sys.argv[1:3], ("first", "host's")):
    for entry in ("root", "cwd", "fd", "exe", "environ"):
        attempt(name + " " + entry, lambda: os.stat("/proc/%s/%s" % (pid, entry)))`,
    },
    args: (scene) => ['1', `${scene.victim}`],
    controlArgs: (scene) => [`${process.pid}`, `${scene.victim}`],
    confined: each(otherProcess, 'ENOENT'),
    control: each(otherProcess, 'done'),
  },
  {
    id: 'F6',
    title: 'goes through links in its own /proc',
    outcome: 'H',
    layer: VIEW,
    program: {
      python: `
ways = {"self": "/proc/self/root", "thread": "/proc/thread-self/root", "task": "/proc/self/task/%d/root" % os.getpid()}
ways["cwd"] = "/proc/self/cwd/../../../../.."
for name, way in ways.items(): attempt(name, lambda: read(way + sys.argv[1]))`,
    },
    args: (scene) => [scene.canary],
    confined: each(['self', 'thread', 'task', 'cwd'], 'ENOENT'),
    control: each(['self', 'thread', 'task', 'cwd'], 'done'),
  },
  {
    id: 'F7',
    title: "opens the kernel's memory, symbols and switches",
    outcome: 'H',
    layer: '/proc with subset=pid',
    program: {
      python: `
for path in ("kcore", "kallsyms", "kmsg", "sysrq-trigger", "sys/kernel/core_pattern", "sys/kernel/modprobe", "sys/vm/overcommit_memory"):
    mode = os.O_WRONLY if path.startswith("sys") else os.O_RDONLY | os.O_NONBLOCK
    attempt(path, lambda: os.close(os.open("/proc/" + path, mode)))`,
    },
    confined: each(switches, 'ENOENT'),
    control: asRoot(
      Object.fromEntries(switches.map((path) => [path, existsSync(`/proc/${path}`) ? 'done' : 'ENOENT'])),
    ),
  },
  {
    id: 'F8',
    title: 'looks into /sys, the control groups, tracefs and debugfs',
    outcome: 'H',
    layer: VIEW,
    program: {
      python: `
for path in ("/sys", "/sys/fs/cgroup", "/sys/kernel", "/sys/kernel/tracing", "/sys/kernel/debug", "/proc/sys", "/boot", "/var", "/dev/pts"):
    attempt(path, lambda: os.stat(path))
found["release_agent"] = [directory for directory, _, names in os.walk(sys.argv[1]) if "release_agent" in names]`,
    },
    args: () => ['/'],
    controlArgs: () => ['/sys/fs/cgroup'],
    confined: {
      ...each(['/sys', '/sys/fs/cgroup', '/sys/kernel', '/sys/kernel/tracing', '/sys/kernel/debug'], 'ENOENT'),
      ...each(['/proc/sys', '/boot', '/var', '/dev/pts'], 'ENOENT'),
      release_agent: [],
    },
    control: expect.objectContaining(each(['/sys', '/sys/fs/cgroup', '/sys/kernel', '/proc/sys', '/var'], 'done')),
  },
  {
    id: 'F9',
    title: 'searches all of /proc for a secret and for paths of the host',
    outcome: 'H',
    layer: 'a new environment, pid namespace, private root',
    program: {
      python: `
wanted = [bytes.fromhex(word) for word in sys.argv[1].split(",")]
leaks = set()
for directory in [name for name in os.listdir("/proc") if name == "self" or name == str(os.getpid()) or sys.argv[2] == "all" and name.isdigit()]:
    for name in ("cmdline", "environ", "mountinfo", "mounts", "mountstats", "maps", "status", "cgroup", "comm", "auxv", "sched", "limits", "cwd", "exe", "root", "fd/0", "fd/1", "fd/2"):
        path = "/proc/%s/%s" % (directory, name)
        try:
            text = os.fsencode(os.readlink(path)) if os.path.islink(path) else read(path)
        except OSError:
            continue
        if any(word in text for word in wanted): leaks.add(name)
found["leaks"] = sorted(leaks)`,
    },
    args: (scene) => [[scene.secret, scene.app, scene.marker, packageRoot, process.title].map(toHex).join(), 'all'],
    controlArgs: (scene) => [[scene.secret, join(scene.app, '..')].map(toHex).join(), 'self'],
    confined: { leaks: [] },
    control: { leaks: ['cwd', 'environ'] },
  },
  {
    id: 'F10',
    title: 'overwrites its own interpreter, directly and through a descriptor',
    outcome: 'E',
    layer: 'read-only mounts, Landlock',
    program: {
      python: `
import shutil
target = "/proc/self/exe"
if len(sys.argv) > 2:
    target = shutil.copy("/proc/self/exe", sys.argv[1])
handle = os.open(target, os.O_PATH)
again = "/proc/self/fd/%d" % handle
attempt("open", lambda: os.close(os.open(target, os.O_WRONLY)))
attempt("reopen", lambda: os.close(os.open(again, os.O_WRONLY)))
attempt("truncate", lambda: os.truncate(again, os.stat(again).st_size))
attempt("chmod", lambda: os.chmod(again, 0o755))
attempt("by name", lambda: os.close(os.open(os.path.realpath(target), os.O_RDWR)))`,
    },
    controlArgs: () => ['copy'],
    confined: (scene) => ({
      ...each(['open', 'reopen', 'by name'], notWritten(scene, 'ETXTBSY')),
      truncate: notWritten(scene),
      chmod: 'EROFS',
    }),
    control: each(['open', 'reopen', 'truncate', 'chmod', 'by name'], 'done'),
    check: (_, scene) => {
      const now = hash(scene.executables.python);
      hashBefore ||= now;
      expect(now).toBe(hashBefore);
    },
  },
  {
    id: 'F11',
    title: 'overwrites the native library and the prescript',
    outcome: 'H',
    layer: 'taken out of the view before the job starts',
    program: {
      python: `
directory = sys.argv[1]
for name in ("pinfold.node", "python.py"):
    attempt(name, lambda: os.close(os.open(directory + "/" + name, os.O_WRONLY)))
    attempt("new " + name, lambda: os.close(os.open(directory + "/" + name, os.O_WRONLY | os.O_CREAT)))
found["directory"] = os.path.isdir(directory)`,
    },
    args: () => ['/.pinfold'],
    controlArgs: () => ['.'],
    confined: {
      ...each(['pinfold.node', 'python.py'], 'ENOENT'),
      ...each(['new pinfold.node', 'new python.py'], 'EROFS'),
      directory: true,
    },
    control: {
      ...each(['pinfold.node', 'python.py'], 'ENOENT'),
      ...each(['new pinfold.node', 'new python.py'], 'done'),
      directory: true,
    },
  },
  {
    id: 'F11',
    title: 'reopens the native library by its mapping',
    outcome: 'E',
    layer: 'no capabilities',
    program: {
      python: `
import mmap
if len(sys.argv) > 2:
    open(sys.argv[1], "wb").write(b"x" * 4096)
    kept = mmap.mmap(os.open(sys.argv[1], os.O_RDONLY), 4096, prot=mmap.PROT_READ)
ranges = [line.split()[0] for line in open("/proc/self/maps") if "pinfold.node" in line]
start, end = ranges[0].split("-")
path = "/proc/self/map_files/%x-%x" % (int(start, 16), int(end, 16))
attempt("reopen", lambda: os.close(os.open(path, os.O_WRONLY)))`,
    },
    controlArgs: () => ['pinfold.node'],
    confined: { reopen: 'EPERM' },
    control: asRoot({ reopen: 'done' }),
  },
  {
    id: 'F13',
    title: 'makes device files',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
call("mknod", b"n1", 0o20600, os.makedev(1, 3))
call("mknod", b"n2", 0o60600, os.makedev(7, 0), name="mknod of a block device")
call("mknodat", -100, b"n3", 0o20600, os.makedev(1, 3))`,
    },
    confined: each(['mknod', 'mknod of a block device', 'mknodat'], 'EPERM'),
    denied: ['mknod', 'mknodat'],
    control: asRoot(each(['mknod', 'mknod of a block device', 'mknodat'], 'done')),
  },
  {
    id: 'F13',
    title: 'opens raw devices',
    outcome: 'H',
    layer: VIEW,
    program: {
      python: `
for name in ("mem", "kmsg", "vda", "loop0", "fuse", "kvm", "net/tun", "ptmx", "tty", "console", "userfaultfd", "vsock", "loop-control"):
    attempt(name, lambda: os.close(os.open("/dev/" + name, os.O_RDONLY | os.O_NONBLOCK)))
found["devices"] = sorted(name for name in os.listdir("/dev") if not os.path.islink("/dev/" + name))`,
    },
    confined: {
      ...each(
        'mem kmsg vda loop0 fuse kvm net/tun ptmx tty console userfaultfd vsock loop-control'.split(' '),
        'ENOENT',
      ),
      devices: ['full', 'null', 'random', 'shm', 'urandom', 'zero'],
    },
    control: expect.objectContaining({ ptmx: 'done' }),
  },
  {
    id: 'F14',
    title: "runs root's setuid program and one with capabilities, from a mount",
    outcome: 'E',
    layer: 'nosuid mounts, no_new_privs, user namespace',
    expects: 'gains nothing',
    run: async ({ scene, open, limits }) => {
      if (!scene.isRoot) return ROOTS_FILES;
      const directory = makePrivilegedFiles(scene);
      const sandbox = open({ mounts: [{ source: directory, target: '/privileged' }] });
      for (const name of ['setuid', 'capable']) {
        const code = `import subprocess; print(subprocess.run(["/privileged/${name}", "/proc/self/status"], capture_output=True, text=True).stdout)`;
        expect(rights((await sandbox.run(code, limits)).stdout), name).toEqual({
          uid: '1000 1000 1000 1000',
          capabilities: 0n,
        });
      }
      rmSync(directory, { recursive: true });
      return 'gains nothing';
    },
    shows: async ({ scene }) => {
      if (!scene.isRoot) return ROOTS_FILES;
      const directory = makePrivilegedFiles(scene);
      const run = (name: string) =>
        rights(runCommand(join(directory, name), ['/proc/self/status'], { uid: ORDINARY, gid: ORDINARY, cwd: '/' }));
      expect(run('setuid').uid).toBe(`${ORDINARY} 0 0 0`);
      expect(run('capable').capabilities).toBeGreaterThan(0n);
      rmSync(directory, { recursive: true });
      return undefined;
    },
  },
  {
    id: 'F14',
    title: 'makes a setuid program in its scratch',
    outcome: 'E',
    layer: 'nosuid mounts, no_new_privs, user namespace',
    program: {
      python: `
import shutil, subprocess
path = os.path.abspath(shutil.copy("/bin/cat", "mine"))
attempt("chmod", lambda: os.chmod(path, 0o6755))
attempt("chown", lambda: os.chown(path, 0, 0))
attempt("xattr", lambda: os.setxattr(path, "security.capability", bytes.fromhex("0100000200000020000000000000000000000000")))
text = subprocess.run([path, "/proc/self/status"], capture_output=True, text=True).stdout
found["ids"] = [line.split()[1:] for line in text.splitlines() if line.startswith(("Uid", "CapEff"))]`,
    },
    options: { env: { PATH: '/usr/bin:/bin' } },
    confined: {
      chmod: 'done',
      chown: expect.stringMatching(/^(EINVAL|EPERM)$/),
      xattr: 'ENOTSUP',
      ids: [['1000', '1000', '1000', '1000'], ['0000000000000000']],
    },
    control: asRoot({ ...each(['chmod', 'chown', 'xattr'], 'done'), ids: expect.any(Array) }),
  },
  ...leftBehind.map(
    ([id, title, python, confined, control]): Probe => ({
      id,
      title,
      outcome: 'X',
      layer: 'the scratch goes with the job; nothing is collected in 0.1',
      program: { python },
      args: (scene) => [scene.canary],
      // Landlock looks at every level above a new entry, so that depth takes its time.
      options: { wallMs: 55_000, cpuMs: 55_000 },
      confined,
      control,
      check: ({ files, skipped, usage }) => {
        expect([Object.keys(files), skipped]).toEqual([[], []]);
        expect(usage.wallMs).toBeLessThan(50_000);
      },
    }),
  ),
  {
    id: 'F16',
    title: 'is to have its files collected',
    outcome: 'R',
    layer: 'options: not in 0.1',
    expects: 'invalid-option',
    run: async ({ sandbox }) => {
      for (const collect of [['out'], ['../x'], ['/etc/passwd'], ['**'], []]) {
        await expect(sandbox.run('1', { collect } as RunOptions)).rejects.toMatchObject({ code: 'invalid-option' });
      }
      return 'invalid-option';
    },
  },
  {
    id: 'F23',
    title: 'is to get files: traversal, absolute, duplicate, a file where a directory is',
    outcome: 'R',
    layer: 'options: not in 0.1',
    expects: 'invalid-option',
    run: async ({ open }) => {
      const fresh = open();
      const before = findSupervisors();
      const names = [
        '../x',
        '/etc/x',
        'a/../../x',
        'a//b',
        './a',
        '',
        '.',
        '..',
        'a\0b',
        'a\nb',
        '__proto__',
        'main.py',
      ];
      for (const files of [...names.map((name) => ({ [name]: 'x' })), { a: 'x', 'a/b': 'y' }, { 'a/b': 'x', a: 'y' }]) {
        await expect(fresh.run('1', { files } as RunOptions)).rejects.toMatchObject({ code: 'invalid-option' });
      }
      expect(findSupervisors()).toEqual(before);
      return 'invalid-option';
    },
  },
];

function toHex(text: string): string {
  return Buffer.from(text).toString('hex');
}
