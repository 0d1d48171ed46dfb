import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, type TestContext, test, vi } from 'vitest';
import { Sandbox, SandboxError, type SandboxOptions } from '../../src/index.js';
import { syscallNumber } from '../../src/policy/syscalls.js';
import { hasCommand, runCommand } from '../support/command.js';
import { skipForeign, skipMissing } from '../support/skip.js';
import { packageRoot } from '../support/tree.js';

const fixtures = join(packageRoot, 'test/fixtures/network');
const programs = readFileSync(join(fixtures, 'programs.py'));

const open = new Sandbox({ language: 'python', network: true });
const closed = new Sandbox({ language: 'python' });
afterAll(() => Promise.all([open.close(), closed.close()]));

/** Runs one of the programs to its end, and gives what it printed last. */
async function ask(sandbox: Sandbox, ...args: (string | number)[]): Promise<string> {
  const result = await sandbox.run(programs, { args: args.map(String), wallMs: 30_000 });
  expect(result).toMatchObject({ reason: 'exited', exitCode: 0, stderr: '' });
  return result.stdout.trimEnd();
}

/** Whether it works with the network of the host, and gets just that error without. */
async function expectOpenOnly(said: string, ...args: (string | number)[]): Promise<void> {
  expect(await ask(open, ...args)).toBe(said);
  expect(await ask(closed, ...args)).toBe('EPERM');
}

async function portOf(server: Server, host: string): Promise<number> {
  server.listen(0, host);
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

const echoServer = () => createServer((peer) => void peer.on('error', () => {}).pipe(peer));

function temporaryFile(name: string, content: string | Uint8Array): string {
  const directory = mkdtempSync('/var/tmp/pinfold-network-');
  chmodSync(directory, 0o755);
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

describe('with `network: true` a job, and only then,', () => {
  test('reaches a TCP server of the host', async () => {
    await expectOpenOnly('ping', 'tcp', '127.0.0.1', await portOf(echoServer(), '127.0.0.1'));
  });

  test('reaches one by its name', async () => {
    await expectOpenOnly('ping', 'tcp', 'localhost', await portOf(echoServer(), '127.0.0.1'));
  });

  test('reaches one over IPv6', async (context) => {
    const server = echoServer();
    const port = await portOf(server, '::1').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT') return undefined;
      throw error;
    });
    if (port === undefined) return skipForeign(context, 'this machine has no IPv6');
    await expectOpenOnly('ping', 'tcp', '::1', port);
  });

  test('reaches a UDP server of the host', async () => {
    const server = createSocket('udp4', (message, { port, address }) => server.send(message, port, address));
    server.bind(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    await expectOpenOnly('ping', 'udp', '127.0.0.1', server.address().port);
  });

  test('gets a page by http.client', async () => {
    const server = createHttpServer(({ url }, response) => response.end(`page ${url}`));
    await expectOpenOnly('page /path', 'http_get', '127.0.0.1', await portOf(server, '127.0.0.1'));
  });

  test('gets a page by asyncio', async () => {
    const server = createHttpServer(({ url }, response) => response.end(`page ${url}`));
    await expectOpenOnly('page /path', 'asyncio_get', '127.0.0.1', await portOf(server, '127.0.0.1'));
  });

  test('listens for another of its processes', async () => {
    await expectOpenOnly('from the child', 'processes');
  });

  test('runs an HTTP server for itself', async () => {
    await expectOpenOnly('served', 'serves_itself');
  });

  test('is told that nobody listens', async () => {
    const server = createServer();
    const port = await portOf(server, '127.0.0.1');
    await new Promise((resolve) => server.close(resolve));
    await expectOpenOnly('ECONNREFUSED', 'tcp', '127.0.0.1', port);
  });

  test('listens for the host', async () => {
    const run = open.run(programs, { args: ['listens'], wallMs: 30_000 });
    let said = '';
    for await (const chunk of run.stdout) {
      said += Buffer.from(chunk);
      if (said.endsWith('\n')) break;
    }
    connect(Number(said), '127.0.0.1').end('hello');
    expect(await run).toMatchObject({ stdout: `${said}hello\n`, stderr: '' });
    expect(await ask(closed, 'listens')).toBe('EPERM');
  });
});

describe('names', () => {
  test('of the machine itself are found', async () => {
    expect(await ask(open, 'resolves', 'localhost')).toBe('127.0.0.1');
    expect(await ask(open, 'resolves', 'pinfold')).toBe('127.0.0.1');
    expect(await ask(closed, 'resolves', 'localhost')).toBe('127.0.0.1');
  });

  test('are looked for where the host does', async (context) => {
    expect(await ask(closed, 'reads', '/etc/resolv.conf')).toBe('');
    expect(await ask(open, 'reads', '/etc/nsswitch.conf')).toContain('hosts: files dns\n');
    if (!existsSync('/etc/resolv.conf')) return skipForeign(context, 'this machine has no /etc/resolv.conf');
    expect(await ask(open, 'reads', '/etc/resolv.conf')).toBe(readFileSync('/etc/resolv.conf', 'utf8').trimEnd());
  });

  test('are asked of a server, by the C library of the interpreter', async (context) => {
    const mounts = [await nameServer(context)];
    const asking = new Sandbox({ language: 'python', network: true, mounts, concurrency: 1 });
    onTestFinished(() => asking.close());
    expect(await ask(asking, 'resolves', 'known.test')).toBe('127.9.8.7');
    expect(await ask(asking, 'resolves', 'unknown.test')).toBe('EAI_NONAME');
    const without = new Sandbox({ language: 'python', mounts, concurrency: 1 });
    onTestFinished(() => without.close());
    // Its name services are files alone, so that it knows at once.
    expect(await ask(without, 'resolves', 'known.test')).toBe('EAI_NONAME');
  });

  test('are asked of a server, by musl', async (context) => {
    if (!hasCommand('musl-gcc')) return skipMissing(context, 'no musl-gcc');
    const program = temporaryFile('resolve', '');
    runCommand('musl-gcc', ['-static', '-o', program, join(fixtures, 'resolve.c')]);
    chmodSync(program, 0o755);
    const mounts = [await nameServer(context), { source: program, target: '/opt/resolve' }];
    const asking = new Sandbox({ language: 'python', network: true, mounts, concurrency: 1 });
    onTestFinished(() => asking.close());
    const code = "import subprocess; subprocess.run(['/opt/resolve', 'known.test'])";
    expect(await asking.run(code, { wallMs: 30_000 })).toMatchObject({ ok: true, stdout: '127.9.8.7\n' });
  });
});

test('certificates are those of the host, where there is a network to use them with', async (context) => {
  const directory = '/etc/ssl/certs';
  const code = `import os, ssl
print(len(os.listdir('${directory}')), ssl.create_default_context(capath='${directory}') is not None)
for name in os.listdir('${directory}'): os.stat('${directory}/' + name)`;
  const host = runCommand('ls', ['-A', directory]).split('\n').length - 1;
  if (host < 2) return skipForeign(context, `this machine has no directory of certificates`);
  const { stdout, stderr } = await open.run(code, { wallMs: 30_000 });
  expect([stdout, stderr]).toEqual([`${host} True\n`, '']);
});

describe('with `network: true` all else stays closed:', () => {
  test.each<[string, readonly [family: number, type: number, protocol: number]]>([
    ['UNIX streams', [1, 1, 0]],
    ['UNIX datagrams', [1, 2, 0]],
    ['UNIX packets', [1, 5, 0]],
    ['netlink', [16, 3, 0]],
    ['packets of the wire', [17, 3, 768]],
    ['packets without headers', [17, 2, 768]],
    ['the crypto interface', [38, 5, 0]],
    ['the hypervisor', [40, 1, 0]],
    ['raw IPv4', [2, 3, 1]],
    ['raw IPv6', [10, 3, 58]],
    ['everything raw', [2, 3, 255]],
    ['ping', [2, 2, 1]],
    ['SCTP', [2, 5, 132]],
    ['MPTCP', [2, 1, 262]],
    ['UDP-Lite', [10, 2, 136]],
  ])('no socket for %s', async (_, kind) => {
    expect(await ask(open, 'socket_of', ...kind)).toBe('EPERM');
    expect(await ask(closed, 'socket_of', ...kind)).toBe('EPERM');
  });

  test.each([
    ['stream', 1],
    ['packet', 5],
  ])('no abstract %s socket of the host is reached, nor made', async (_, kind) => {
    const name = `pinfold-test-${process.pid}`;
    const listener = spawn('python3', [join(fixtures, 'abstract.py'), 'listen', `${kind}`, name]);
    onTestFinished(() => void listener.kill());
    let visits = '';
    listener.stdout.on('data', (chunk) => {
      visits += chunk;
    });
    await once(listener.stdout, 'data');
    const visit = () => runCommand('python3', [join(fixtures, 'abstract.py'), 'visit', `${kind}`, name]);
    expect(visit()).toBe('welcome\n');
    expect(await ask(open, 'connects_pair', kind, name)).toBe('EISCONN');
    expect(await ask(open, 'listens_by_pair', kind)).toBe('EINVAL');
    expect(await ask(closed, 'connects_pair', kind, name)).toBe('EPERM');
    expect(await ask(open, 'datagram_pair')).toBe('EPERM');
    // A visit of a job's would have come in before this one.
    expect(visit()).toBe('welcome\n');
    await vi.waitFor(() => expect(visits).toMatch(/visit\nvisit\n/), 5_000);
    expect(visits).toBe('listening\nvisit\nvisit\n');
  });

  test.each<[string, readonly [type: number, level: number, option: number]]>([
    ['filter', [1, 1, 26]],
    ['extended filter', [2, 1, 50]],
    ['layer over TCP', [1, 6, 31]],
    ['layer over UDP', [2, 17, 100]],
  ])('no %s of its own in the kernel', async (_, option) => {
    expect(await ask(open, 'sets_option', ...option)).toBe('EPERM');
  });

  test('no port of the system', async (context) => {
    const first = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
    if (first < 2) return skipForeign(context, 'here every port may be bound by everybody');
    expect(await ask(open, 'binds', first - 1)).toBe('EACCES');
  });

  test('no file of the host', async () => {
    const canary = temporaryFile('canary', 'secret');
    for (const path of ['/etc/shadow', canary, `/proc/${process.pid}/environ`, '/sys/class/net', '/var/run']) {
      expect(await ask(open, 'reads', path)).toBe('ENOENT');
    }
    expect(await ask(open, 'writes', '/etc/hosts')).toBe('EROFS');
    expect(await ask(open, 'writes', '/etc/ssl/certs/new')).toBe('EROFS');
  });

  test('no process of the host', async () => {
    expect(await ask(open, 'sees')).toBe('2');
    expect(await ask(open, 'signals', process.pid + 100_000)).toBe('ESRCH');
    expect(await ask(open, 'signals', 1)).toBe('EPERM');
  });

  test.each<[Parameters<typeof syscallNumber>[0], readonly number[]]>([
    ['ptrace', [16, 1]],
    ['process_vm_readv', [1]],
    ['unshare', [0x40000000]],
    ['unshare', [0x10000000]],
    ['setns', [0, 0x40000000]],
    ['mount', []],
    ['bpf', []],
    ['io_uring_setup', [1, 0]],
  ])('no %s', async (call, args) => {
    const number = syscallNumber(call, process.arch as 'x64' | 'arm64') as number;
    expect(await ask(open, 'calls', number, ...args)).toBe('EPERM');
  });

  test('no capability, and a filter', async () => {
    const none = '0000000000000000';
    expect(await ask(open, 'state')).toBe(`${none} ${none} ${none} 1 2`);
  });
});

describe('the report', () => {
  test('says that the network is not confined, and all else is', async () => {
    const { isolation } = await open.run('');
    expect(await open.ready()).toEqual(isolation);
    const { network, ...others } = isolation.guarantees;
    expect(network).toEqual({ state: 'absent', by: [], remedy: expect.stringContaining('`network: true`') });
    const { network: enforced, ...same } = (await closed.run('')).isolation.guarantees;
    expect(enforced).toEqual({ state: 'enforced', by: ['network namespace', 'seccomp'] });
    expect(others).toEqual(same);
  });

  test('of a check says so too', async () => {
    const { guarantees } = await Sandbox.check({ language: 'python', network: true });
    expect(guarantees.network).toMatchObject({ state: 'absent', by: [] });
    expect(guarantees.filesystem.state).toBe('enforced');
  });
});

describe('the option', () => {
  const make = (options: object) => {
    try {
      return new Sandbox({ language: 'python', ...options } as SandboxOptions);
    } catch (error) {
      return error as SandboxError;
    }
  };

  test.each(['true', 'host', '', 1, 0, {}, { allow: ['127.0.0.1'] }, [], null, Symbol('true'), () => true])(
    'is on or off, and %o neither',
    (network) => {
      const error = make({ network }) as SandboxError;
      expect(error).toBeInstanceOf(SandboxError);
      expect(error.code).toBe('invalid-option');
      expect(error.message).toMatch(/^network must be true or false, but is /);
    },
  );

  test('contradicts a requirement of that guarantee', () => {
    const error = make({ network: true, require: ['filesystem', 'network'] }) as SandboxError;
    expect(error.code).toBe('invalid-option');
    expect(error.message).toMatch(/^require\[1\] .*`network: true`.*'network'/);
  });

  test('leaves the other requirements as they are', async () => {
    const sandbox = make({ network: true, require: ['filesystem', 'syscalls'] }) as Sandbox;
    onTestFinished(() => sandbox.close());
    expect((await sandbox.run('print(1)')).stdout).toBe('1\n');
  });
});

/** Answers one name, on a loopback address of its own; gives the mount that makes a job ask it. */
async function nameServer(context: TestContext): Promise<{ source: string; target: string }> {
  const server = createSocket('udp4', (query, { port, address }) => server.send(answerTo(query), port, address));
  const host = '127.53.53.53';
  server.bind(53, host);
  const error = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    server.once('listening', () => resolve(undefined)).once('error', resolve);
  });
  if (error?.code === 'EACCES') return skipForeign(context, 'only root may serve names');
  if (error) throw error;
  onTestFinished(() => void server.close());
  return { source: temporaryFile('resolv.conf', `nameserver ${host}\n`), target: '/etc/resolv.conf' };
}

const TYPE_A = 1;
const NO_SUCH_NAME = 3;

/** RFC 1035, 4.1: the question again, and for known.test its address. */
function answerTo(query: Buffer): Buffer {
  const end = query.indexOf(0, 12) + 5;
  const isKnown = query.subarray(12, end - 4).equals(Buffer.from('\x05known\x04test\0'));
  const isAnswered = isKnown && query.readUInt16BE(end - 4) === TYPE_A;
  const header = Buffer.from(query.subarray(0, 12));
  header.writeUInt16BE(0x8180 | (isKnown ? 0 : NO_SUCH_NAME), 2);
  header.writeUInt16BE(isAnswered ? 1 : 0, 6);
  header.fill(0, 8);
  const record = Buffer.from([0xc0, 12, 0, TYPE_A, 0, 1, 0, 0, 0, 60, 0, 4, 127, 9, 8, 7]);
  return Buffer.concat([header, query.subarray(12, end), ...(isAnswered ? [record] : [])]);
}

beforeAll(() => Promise.all([open.ready(), closed.ready()]));
