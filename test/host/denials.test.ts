import { expect, test } from 'vitest';
import { describeDenials } from '../../src/denials.js';
import { shownArguments, shownCalls } from '../../src/policy/arguments.js';
import { type Syscall, syscallNumber } from '../../src/policy/syscalls.js';
import type { RefusedCall } from '../../src/protocol.js';

const NONE = Buffer.alloc(0);

function refused(call: Syscall, values: readonly (number | bigint)[], text: string | Buffer = NONE): RefusedCall {
  const six = Array.from({ length: 6 }, (_, index) => BigInt(values[index] ?? 0));
  return { number: syscallNumber(call, 'x64') as number, count: 1, values: six, text: Buffer.from(text) };
}

const argsOf = (call: RefusedCall) => describeDenials([call], 'x64')[0]?.args;

const inet = Buffer.from('0200005019a9fea90000000000000000', 'hex');
inet.writeUInt32BE(0xa9fea9fe, 4);
const inet6 = Buffer.alloc(28);
inet6.writeUInt16LE(10, 0);
inet6.writeUInt16BE(443, 2);
inet6.writeUInt16BE(0xfd00, 8);
inet6.writeUInt16BE(0x254, 22);

test.each<[what: string, call: RefusedCall, args: string[]]>([
  ['a TCP socket', refused('socket', [2, 0o2004001]), ['AF_INET', 'SOCK_STREAM']],
  ['a raw packet socket', refused('socket', [17, 3]), ['AF_PACKET', 'SOCK_RAW']],
  ['a family without a name', refused('socket', [99, 77]), ['99', '13']],
  ['a negative family, with high bits', refused('socket', [2n ** 64n - 1n, 1]), ['-1', 'SOCK_STREAM']],
  ['the metadata service', refused('connect', [], inet), ['169.254.169.254:80']],
  ['an IPv6 peer', refused('connect', [], inet6), ['[fd00:0:0:0:0:0:0:254]:443']],
  ['a cut address', refused('connect', [], Buffer.from([2])), ['no address']],
  ['a UNIX path', refused('connect', [], '\x01\0/run/docker.sock\0rest'), ['/run/docker.sock']],
  ['an abstract name', refused('bind', [], '\x01\0\0name\x1b[2J'), ['@name\\u{1b}[2J']],
  ['a user namespace', refused('unshare', [0x10000000 | 0x00020000]), ['CLONE_NEWNS|CLONE_NEWUSER']],
  ['a flag without a name', refused('unshare', [0x400]), ['0x400']],
  ["clone's other flags are left out", refused('clone', [0x10000011]), ['CLONE_NEWUSER']],
  ['tracing', refused('ptrace', [0x4206, 7]), ['PTRACE_SEIZE', '7']],
  ['a terminal', refused('ioctl', [0, 0xdead00005412n]), ['TIOCSTI']],
  ['a path that is no UTF-8', refused('chroot', [], Buffer.from([0x2f, 0xff, 0x0a])), ['/\\u{fffd}\\u{a}']],
  ['a path that could not be read', refused('chroot', []), []],
  ['a device', refused('mknod', [0, 0o20644], '/dev/sda'), ['S_IFCHR', '/dev/sda']],
])('%s', (_, call, args) => {
  expect(argsOf(call)).toEqual(args);
});

test('names and counts, with and without arguments', () => {
  const calls: RefusedCall[] = [
    refused('keyctl', [3]),
    { ...refused('keyctl', []), values: [], count: 5 },
    { ...refused('reboot', [1, 2]), count: 2 },
    { number: 1000, count: 3, values: [0n, 0n, 0n, 0n, 0n, 0n], text: NONE },
    { number: 0xffff_ffff, count: 4, values: [], text: NONE },
  ];
  expect(describeDenials(calls, 'x64')).toEqual([
    { syscall: 'keyctl', count: 1, args: ['3'] },
    { syscall: 'keyctl', count: 5 },
    { syscall: 'reboot', count: 2 },
    { syscall: 'syscall 1000', count: 3 },
    { syscall: 'others', count: 4 },
  ]);
});

test.each(['x64', 'arm64'] as const)('the table for the supervisor fits its limits on %s', (arch) => {
  const calls = shownCalls(arch);
  expect(calls.length).toBeGreaterThan(30);
  expect(calls.length).toBeLessThanOrEqual(128);
  expect(new Set(calls.map(({ number }) => number)).size).toBe(calls.length);
  for (const { values, text } of calls) {
    for (const argument of [...values, text?.argument ?? 0, text?.length ?? 0]) expect(argument).toBeLessThan(6);
  }
  const known = Object.keys(shownArguments).filter((call) => syscallNumber(call as Syscall, arch) !== null);
  expect(calls.length).toBe(known.length);
});
