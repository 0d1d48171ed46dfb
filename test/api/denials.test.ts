import { afterAll, describe, expect, test } from 'vitest';
import { Sandbox } from '../../src/index.js';

const sandbox = new Sandbox({ language: 'python', concurrency: 2 });
afterAll(() => sandbox.close());

const LIBC = 'import ctypes; libc = ctypes.CDLL(None, use_errno=True)\n';
const UNSHARE = `${LIBC}libc.unshare(0x10000000)`;

describe('denials', () => {
  test('name each refused call once, with count and arguments, and no other', async () => {
    const { stdout, denials } = await sandbox.run(`
import socket
${LIBC}
for family in (socket.AF_INET, socket.AF_INET, socket.AF_INET6):
    try:
        socket.socket(family, socket.SOCK_DGRAM)
    except PermissionError as error:
        print(error.errno)
print(libc.mount(b'none', b'/tmp/\\x1b[31m', b'tmpfs', 0, 0), ctypes.get_errno())
print(libc.syscall(1000), ctypes.get_errno())
print(libc.fsetxattr(1, b'user.x', b'', 0, 0), ctypes.get_errno())
`);
    expect(stdout).toBe('1\n1\n1\n-1 1\n-1 38\n-1 95\n');
    expect(denials).toEqual([
      { syscall: 'socket', count: 2, args: ['AF_INET', 'SOCK_DGRAM'] },
      { syscall: 'socket', count: 1, args: ['AF_INET6', 'SOCK_DGRAM'] },
      { syscall: 'mount', count: 1, args: ['/tmp/\\u{1b}[31m'] },
      { syscall: 'syscall 1000', count: 1 },
      { syscall: 'fsetxattr', count: 1 },
    ]);
  });

  test('are empty for ordinary programs, threads and processes included', async () => {
    // With HOME set: without it Python asks who it is, and glibc then looks for a name service by an AF_UNIX socket.
    const code = `
import concurrent.futures, os, subprocess, sys, tempfile, threading
thread = threading.Thread(target=print)
thread.start()
thread.join()
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    list(pool.map(str, range(100)))
subprocess.run(['/bin/sh', '-c', 'echo $$; ls /'], check=True)
subprocess.run([sys.executable, '-c', 'import json, ssl, sqlite3'], check=True)
with tempfile.TemporaryFile() as file:
    file.write(b'x')
`;
    const { ok, denials } = await sandbox.run(code, { env: { HOME: '/work' } });
    expect({ ok, denials }).toEqual({ ok: true, denials: [] });
  });

  test('are of every process and thread of the job', async () => {
    const { denials } = await sandbox.run(`
import os, threading
${LIBC}
def refuse():
    libc.unshare(0x10000000)
for _ in range(3):
    if os.fork() == 0:
        refuse()
        os._exit(0)
    os.wait()
threads = [threading.Thread(target=refuse) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
`);
    expect(denials).toEqual([{ syscall: 'unshare', count: 7, args: ['CLONE_NEWUSER'] }]);
  });

  test.each<[string, string, object]>([
    ['was killed by a limit', `${UNSHARE}\nwhile True: pass`, { wallMs: 300 }],
    ['killed itself', `${UNSHARE}\nimport os; os.kill(os.getpid(), 9)`, {}],
    ['ran out of memory', `${UNSHARE}\nhoard = [b'x' * (1 << 20) for _ in range(1 << 12)]`, { memoryBytes: '64MiB' }],
  ])('are there for a job that %s', async (_, code, options) => {
    const { ok, denials } = await sandbox.run(code, options);
    expect({ ok, denials }).toEqual({
      ok: false,
      denials: [{ syscall: 'unshare', count: 1, args: ['CLONE_NEWUSER'] }],
    });
  });

  test("are the run's own: nothing of another run, or of the sandbox's own trials", async () => {
    await using fresh = new Sandbox({ language: 'python', concurrency: 1 });
    for (let run = 0; run < 5; run += 1) {
      expect((await fresh.run('print(1)')).denials).toEqual([]);
      expect((await fresh.run(UNSHARE)).denials).toHaveLength(1);
    }
  });

  test('a flood of different ones is bounded, and every one is counted', async () => {
    const { reason, denials } = await sandbox.run(
      `${LIBC}
for n in range(3000): libc.syscall(321, ctypes.c_long(n), 0, 0)
for n in range(3000): libc.syscall(ctypes.c_long(1000 + n), 0, 0)`,
      { wallMs: 30_000 },
    );
    expect(reason).toBe('exited');
    expect(denials.length).toBeLessThan(60);
    expect(denials.reduce((sum, { count }) => sum + count, 0)).toBe(6000);
    if (process.arch !== 'x64') return;
    const ofBpf = denials.filter(({ syscall }) => syscall === 'bpf');
    expect(ofBpf.reduce((sum, { count }) => sum + count, 0)).toBe(3000);
  });

  test('of a flood of refusals the job itself pays for, in CPU time', async () => {
    const flood = sandbox.run(`${LIBC}while True: libc.unshare(0x10000000)`, { wallMs: 20_000, cpuMs: 500 });
    const sibling = await sandbox.run('print(1)');
    expect(sibling).toMatchObject({ ok: true, denials: [] });
    const { reason, denials } = await flood;
    expect(reason).toBe('cpu-limit');
    expect(denials[0]?.count).toBeGreaterThan(1000);
  });

  test('texts that lie in memory which cannot be read are left out', async () => {
    const { stdout, denials } = await sandbox.run(`
import mmap
${LIBC}
print(libc.chroot(ctypes.c_void_p(8)), ctypes.get_errno())
page = mmap.mmap(-1, 8192)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
page[4090:4096] = b'/a/b/c'
libc.mprotect(address + 4096, 4096, 0)
print(libc.chroot(ctypes.c_void_p(address + 4090)), ctypes.get_errno())
`);
    expect(stdout).toBe('-1 1\n-1 1\n');
    expect(denials).toEqual([
      { syscall: 'chroot', count: 1, args: [] },
      { syscall: 'chroot', count: 1, args: ['/a/b/c'] },
    ]);
  });

  test('calls that a caller denies are told as well', async () => {
    await using strict = new Sandbox({ language: 'python', syscalls: { deny: ['getppid', 'capget', 'getcwd'] } });
    const { stdout, denials } = await strict.run('import os; print(os.getppid())');
    expect(stdout).toBe('-1\n');
    expect(denials).toEqual([{ syscall: 'getppid', count: 1 }]);
  });
});
