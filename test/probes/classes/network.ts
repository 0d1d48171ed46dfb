import { expect } from 'vitest';
import { each, type Probe, type Program } from '../probe.js';

const FAMILIES = Array.from({ length: 47 }, (_, family) => `${family}`);

const sockets: Program['program'] = {
  python: `
for family in range(47):
    call("socket", family, 1, 0, name="%d" % family)
for kind, name in ((2, "datagram"), (3, "raw"), (5, "seqpacket"), (0x80801, "with flags")):
    call("socket", 1, kind, 0, name=name)
call("socket", 2 | 1 << 32, 1, 0, name="with high bits")
call("socketpair", 1, 2, 0, ctypes.create_string_buffer(8), name="pair of datagram sockets")
call("socketpair", 2, 1, 0, ctypes.create_string_buffer(8), name="pair of IPv4")`,
};

export const network: readonly Probe[] = [
  {
    id: 'N1',
    title: 'opens a socket of every address family',
    outcome: 'E',
    layer: 'seccomp',
    program: sockets,
    confined: each(
      [
        ...FAMILIES,
        'datagram',
        'raw',
        'seqpacket',
        'with flags',
        'with high bits',
        'pair of datagram sockets',
        'pair of IPv4',
      ],
      'EPERM',
    ),
    denied: ['socket', 'socketpair'],
    control: expect.objectContaining(each(['1', '2', 'datagram', 'with flags', 'with high bits'], 'done')),
  },
  {
    id: 'N2',
    title: "connects to the host's loopback",
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
import socket
def greet(family, address):
    with socket.socket(family) as client:
        client.settimeout(5)
        client.connect(address)
        return client.recv(9)
attempt("IPv4", lambda: greet(socket.AF_INET, ("127.0.0.1", int(sys.argv[1]))))
attempt("any", lambda: greet(socket.AF_INET, ("0.0.0.0", int(sys.argv[1]))))
attempt("path", lambda: greet(socket.AF_UNIX, sys.argv[2]))`,
    },
    args: (scene) => [`${scene.tcpPort}`, scene.socket],
    confined: each(['IPv4', 'any', 'path'], 'EPERM'),
    denied: ['socket'],
    control: each(['IPv4', 'any', 'path'], 'done'),
  },
  {
    id: 'N2',
    title: 'looks at interfaces, routes and ports',
    outcome: 'H',
    layer: 'an empty network namespace',
    program: {
      python: `
found["interfaces"] = sorted(line.split(":")[0].strip() for line in open("/proc/self/net/dev").readlines()[2:])
found["host's port"] = any(("%04X" % int(sys.argv[1])) in line.split()[1] for line in open("/proc/self/net/tcp").readlines()[1:])
found["routes"] = len(open("/proc/self/net/route").readlines()[1:]) if len(sys.argv) < 4 else 0`,
    },
    args: (scene) => [`${scene.tcpPort}`],
    controlArgs: (scene) => [`${scene.tcpPort}`, 'host'],
    confined: { interfaces: ['lo'], "host's port": false, routes: 0 },
    control: { interfaces: expect.any(Array), "host's port": true, routes: 0 },
  },
  {
    id: 'N3',
    title: 'meets others at abstract sockets, also with what socketpair gives',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
import socket, struct
name = b"\\0" + sys.argv[1].encode()
address = struct.pack("H", 1) + name
def greet():
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(name)
        return client.recv(9)
attempt("connect", greet)
one, other = socket.socketpair()
call("bind", one.fileno(), struct.pack("H", 1) + b"\\0probe-" + os.urandom(4).hex().encode(), 16, name="bind")
call("listen", one.fileno(), 1)
call("connect", one.fileno(), address, len(address), name="connect a pair")
call("accept", one.fileno(), 0, 0)
call("accept4", one.fileno(), 0, 0, 0)
attempt("send to an address", lambda: one.sendto(b"x", name))`,
    },
    args: (scene) => [scene.abstractName],
    confined: {
      ...each(['connect', 'bind', 'listen', 'connect a pair', 'accept', 'accept4'], 'EPERM'),
      'send to an address': 'EISCONN',
    },
    denied: ['socket', 'bind', 'connect', 'listen', 'accept', 'accept4'],
    control: {
      connect: 'done',
      bind: 'done',
      listen: 'EINVAL',
      'connect a pair': expect.stringMatching(/^(EISCONN|ECONNREFUSED|EINVAL|EPROTOTYPE)$/),
      ...each(['accept', 'accept4'], 'EINVAL'),
      'send to an address': 'EISCONN',
    },
  },
  {
    id: 'N5',
    title: 'asks for names',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
import socket, time
def ask():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client: client.sendto(bytes(12), ("127.0.0.1", 53))
attempt("a question to a name server", ask)
started = time.monotonic()
try: socket.getaddrinfo("probe.invalid", 80)
except socket.gaierror as error: found["lookup"] = "fails"
found["at once"] = time.monotonic() - started < 2 or len(sys.argv) > 2`,
    },
    controlArgs: () => ['as slow as it is'],
    confined: { 'a question to a name server': 'EPERM', lookup: 'fails', 'at once': true },
    denied: ['socket'],
    control: expect.objectContaining({ 'a question to a name server': 'done' }),
    controlMs: 50_000,
  },
  {
    id: 'N6',
    title: 'opens netlink, packet, vsock, alg and other exotic sockets',
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
import socket
for protocol in range(23): call("socket", 16, 3, protocol, name="netlink %d" % protocol)
for name, family, kind in (("packet", 17, 3), ("vsock", 40, 1), ("alg", 38, 5), ("xdp", 44, 3), ("can", 29, 3), ("bluetooth", 31, 3), ("tipc", 30, 5), ("key", 15, 3), ("rds", 21, 5), ("smc", 43, 1)):
    call("socket", family, kind, 0, name=name)`,
    },
    confined: each(
      [
        ...Array.from({ length: 23 }, (_, protocol) => `netlink ${protocol}`),
        ...['packet', 'vsock', 'alg', 'xdp', 'can', 'bluetooth', 'tipc', 'key', 'rds', 'smc'],
      ],
      'EPERM',
    ),
    denied: ['socket'],
    control: expect.objectContaining({ 'netlink 0': 'done', 'netlink 15': 'done' }),
  },
  {
    id: 'N7',
    title: "connects to the cloud's metadata",
    outcome: 'E',
    layer: 'seccomp',
    program: {
      python: `
import socket
def reach(family, address):
    with socket.socket(family) as client:
        client.setblocking(False)
        try: client.connect((address, 80))
        except OSError: pass
attempt("169.254.169.254", lambda: reach(socket.AF_INET, "169.254.169.254"))
attempt("fd00:ec2::254", lambda: reach(socket.AF_INET6, "fd00:ec2::254"))
attempt("its mapped twin", lambda: reach(socket.AF_INET6, "::ffff:169.254.169.254"))`,
    },
    confined: each(['169.254.169.254', 'fd00:ec2::254', 'its mapped twin'], 'EPERM'),
    denied: ['socket'],
    // A socket that is there and begins to connect: what answers, if anything does, is not of interest.
    control: {
      '169.254.169.254': 'done',
      ...each(['fd00:ec2::254', 'its mapped twin'], expect.stringMatching(/^(done|EAFNOSUPPORT)$/)),
    },
  },
];
