// Programs that want what they were not given. Each tells what came of it; the limits are tight, so that it goes quickly.

/** @typedef {import('./expectation.mjs').Program} Program */

const SECRET = 'DEMO_SECRET';
// What a job must not find out.
process.env[SECRET] = 'correct horse battery staple';

/**
 * A program that tries something, and tells why it could not.
 * @param {string} attempt Python
 */
const attempt = (attempt) => `
import os, sys
try:
    ${attempt.trim().replaceAll('\n', '\n    ')}
    print('it worked')
except OSError as error:
    print(type(error).__name__, error.errno, error.strerror)`;

/** @type {readonly Program[]} */
export const hostilePrograms = [
  {
    name: 'fork bomb',
    limits: { processes: 16, wallMs: 800, cpuMs: 60_000 },
    code: `
import os
first = os.getpid()
while True:
    try:
        os.fork()
    except OSError as error:
        if os.getpid() == first:
            print('no more:', error.strerror, flush=True)
            first = 0`,
    expect: { reason: 'wall-limit', stdout: /^no more: Resource temporarily unavailable\n$/, processesAtMost: 16 },
  },
  {
    name: 'memory hog',
    limits: { memoryBytes: '64MiB' },
    code: `
hoard = []
while True:
    hoard.append(b'x' * (1 << 20))
    print(len(hoard), 'MiB', flush=True)`,
    expect: { reason: 'memory-limit', stdout: (text) => text.split('\n').length < 128 },
  },
  {
    name: 'family of hogs',
    limits: { memoryBytes: '64MiB' },
    code: `
import os, time
for child in range(8):
    if os.fork() == 0:
        hoard = b'x' * (12 << 20)
        print('12 MiB more', flush=True)
        time.sleep(60)
time.sleep(60)`,
    expect: { reason: 'memory-limit', stdout: /^(12 MiB more\n)*$/ },
  },
  {
    name: 'endless loop',
    limits: { wallMs: 500, cpuMs: 60_000 },
    code: `
while True:
    pass`,
    expect: { reason: 'wall-limit', stdout: '' },
  },
  {
    name: 'endless sleep',
    limits: { wallMs: 500 },
    code: `
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('wake me', flush=True)
time.sleep(1e6)`,
    expect: { reason: 'wall-limit', stdout: 'wake me\n' },
  },
  {
    name: 'busy processes',
    limits: { cpuMs: 400, wallMs: 20_000 },
    code: `
import os
os.fork()
os.fork()
while True:
    pass`,
    expect: { reason: 'cpu-limit', stdout: '' },
  },
  {
    name: 'busy threads',
    limits: { cpuMs: 400, wallMs: 20_000 },
    code: `
import threading
def burn():
    while True:
        pass
for _ in range(4):
    threading.Thread(target=burn).start()`,
    expect: { reason: 'cpu-limit', stdout: '' },
  },
  {
    name: 'output flood',
    limits: { outputBytes: '64KiB' },
    code: `
import sys
for _ in range(100_000):
    sys.stdout.write('Drip. ' * 100 + '\\n')`,
    expect: { reason: 'exited', exitCode: 0, truncated: true, stdout: (text) => text.length === 65_536 },
  },
  {
    name: 'endless output',
    limits: { outputBytes: '64KiB', onOutputLimit: 'kill' },
    code: `
while True:
    print('Drip. ' * 100)`,
    expect: { reason: 'output-limit', truncated: true, stdout: (text) => text.length === 65_536 },
  },
  {
    name: 'disk hog',
    limits: { scratchBytes: '8MiB' },
    code: attempt(`
with open('/tmp/hoard', 'wb') as file:
    while True:
        file.write(bytes(1 << 20))`),
    expect: { reason: 'exited', exitCode: 0, stdout: 'OSError 28 No space left on device\n' },
  },
  {
    name: 'read /etc/shadow',
    code: attempt(`print(open('/etc/shadow').read())`),
    expect: { reason: 'exited', exitCode: 0, stdout: 'FileNotFoundError 2 No such file or directory\n' },
  },
  {
    name: 'write to /usr',
    code: attempt(`open('/usr/pwned', 'w')`),
    expect: { reason: 'exited', exitCode: 0, stdout: /^(OSError 30 Read-only file system|PermissionError 13 .*)\n$/ },
  },
  {
    name: 'write to this repo',
    code: attempt(`open('/data/README.md', 'a')`),
    expect: { reason: 'exited', exitCode: 0, stdout: /^(OSError 30 Read-only file system|PermissionError 13 .*)\n$/ },
  },
  {
    name: 'open a socket',
    code: attempt(`
import socket
socket.create_connection(('192.0.2.1', 80), timeout=1)`),
    expect: { reason: 'exited', exitCode: 0, stdout: 'PermissionError 1 Operation not permitted\n' },
  },
  {
    name: 'kill the parent',
    code: attempt(`
import signal, time
parent = os.getppid()
try:
    os.kill(parent, signal.SIGKILL)
finally:
    time.sleep(0.05)
    print('parent', parent, 'is still', os.getppid())`),
    expect: { reason: 'exited', exitCode: 0, stdout: /^parent 1 is still 1\n/ },
  },
  {
    name: 'look at others',
    code: `
import os
print('processes:', *sorted(name for name in os.listdir('/proc') if name.isdigit()))
print('host name:', os.uname().nodename)
print('environment:', *os.environ)`,
    expect: {
      reason: 'exited',
      exitCode: 0,
      stdout: (text) => /^processes: (1 )?2\nhost name: pinfold\nenvironment:/.test(text) && !text.includes(SECRET),
    },
  },
  {
    name: 'become root',
    code: attempt(`
print('user', os.getuid(), end=': ')
os.setuid(0)`),
    expect: { reason: 'exited', exitCode: 0, stdout: 'user 1000: PermissionError 1 Operation not permitted\n' },
  },
  {
    name: 'new namespaces',
    code: attempt(`
import ctypes
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x00020000
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0:
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))`),
    expect: { reason: 'exited', exitCode: 0, stdout: 'PermissionError 1 Operation not permitted\n' },
  },
  {
    name: 'crash',
    code: `
import ctypes
print('here goes', flush=True)
ctypes.string_at(0)`,
    expect: { reason: 'signaled', signalName: 'SIGSEGV', stdout: 'here goes\n' },
  },
  {
    name: 'leave a daemon',
    limits: { wallMs: 20_000 },
    code: `
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(1e6)
    os._exit(0)
os.wait()
print('it will outlive me')`,
    expect: { reason: 'exited', exitCode: 0, stdout: 'it will outlive me\n', wallMsAtMost: 5_000 },
  },
];
