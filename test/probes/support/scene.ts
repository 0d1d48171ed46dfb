import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import koffi from 'koffi';
import type { Guarantee, IsolationReport } from '../../../src/isolation.js';
import { type LanguageName, languages } from '../languages/index.js';

/** What the host has that a job must not get at. */
export interface Scene {
  readonly isRoot: boolean;
  /** An unusual word that stands in every canary, and in the host's environment. */
  readonly secret: string;
  /** Stands in the arguments of all unconfined controls, so that what they leave behind can be found. */
  readonly marker: string;
  /** Holds what an application has: package.json, .env, docker.sock. No part of it is a run's scratch. */
  readonly app: string;
  readonly canary: string;
  /** The path of a socket that greets whoever connects, and its twins without a file. */
  readonly socket: string;
  readonly abstractName: string;
  readonly tcpPort: number;
  /** Descriptors of the host without close-on-exec: of the canary, and of its directory. */
  readonly leaked: readonly number[];
  /** A process of the host's user. */
  readonly victim: number;
  readonly executables: Readonly<Record<LanguageName, string>>;
  /** Whether a guarantee is kept by a mechanism whose name begins so. */
  readonly has: (guarantee: Guarantee, mechanism: string) => boolean;
  /** Whether this user has a capability, by its number. */
  readonly capable: (capability: number) => boolean;
  /** The value of a switch of the kernel; undefined: it has none of that name. */
  readonly sysctl: (path: string) => string | undefined;
  /** A new directory for one control. */
  readonly directory: () => string;
  readonly end: () => void;
}

export async function setScene({ guarantees }: IsolationReport): Promise<Scene> {
  const base = mkdtempSync('/var/tmp/pinfold-probes-');
  chmodSync(base, 0o755);
  const app = join(base, 'app');
  const secret = `canary-${randomBytes(8).toString('hex')}`;
  const marker = `probe-${randomBytes(8).toString('hex')}`;
  mkdirSync(app);
  for (const name of ['canary', '.env', 'package.json']) writeFileSync(join(app, name), secret);
  const socket = join(app, 'docker.sock');
  const tcp = await listen({ host: '127.0.0.1', port: 0 });
  const abstractName = `pinfold-victim-${randomBytes(8).toString('hex')}`;
  const servers = [tcp, await listen({ path: socket })];
  const executables = findExecutables();
  const victim = await startVictim(executables.python, abstractName);
  process.env.PINFOLD_PROBE_SECRET = secret;
  const leaked = leakDescriptors([join(app, 'canary'), app]);
  return {
    isRoot: process.getuid?.() === 0,
    secret,
    marker,
    app,
    canary: join(app, 'canary'),
    socket,
    abstractName,
    tcpPort: (tcp.address() as { port: number }).port,
    leaked,
    victim: victim.pid ?? 0,
    executables,
    has: (guarantee, mechanism) => guarantees[guarantee].by.some((name) => name.startsWith(mechanism)),
    capable: (capability) => ((effectiveCapabilities() >> BigInt(capability)) & 1n) === 1n,
    sysctl: (path) => (existsSync(`/proc/sys/${path}`) ? readFileSync(`/proc/sys/${path}`, 'utf8').trim() : undefined),
    directory: () => mkdtempSync(join(base, 'control-')),
    end: () => {
      victim.kill('SIGKILL');
      for (const server of servers) server.close();
      for (const descriptor of leaked) closeSync(descriptor);
      delete process.env.PINFOLD_PROBE_SECRET;
      rmSync(base, { recursive: true, force: true });
    },
  };
}

function effectiveCapabilities(): bigint {
  const [, mask = '0'] = /^CapEff:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return BigInt(`0x${mask}`);
}

/** A process of the host's that greets whoever connects to an abstract socket, which Node's own servers can't. */
async function startVictim(python: string, abstractName: string): Promise<ChildProcess> {
  const program = `
import socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind("\\0" + sys.argv[1])
server.listen()
print("up", flush=True)
while True: server.accept()[0].sendall(b"hello")`;
  const child = spawn(python, ['-c', program, abstractName], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve);
    child.once('exit', (code) => reject(new Error(`the victim ended with ${code}`)));
  });
  return child;
}

function listen(where: { path: string } | { host: string; port: number }): Promise<Server> {
  const server = createServer((connection) => connection.on('error', () => {}).end('hello\n'));
  return new Promise((resolve, reject) => server.once('error', reject).listen(where, () => resolve(server)));
}

/** Opens them as careless native code does: without close-on-exec. Node itself can't. */
function leakDescriptors(paths: readonly string[]): number[] {
  const duplicate = koffi.load(null).func('int dup(int)') as (descriptor: number) => number;
  return paths.map((path) => {
    const descriptor = openSync(path, 'r');
    const leaked = duplicate(descriptor);
    closeSync(descriptor);
    return leaked;
  });
}

function findExecutables(): Scene['executables'] {
  return Object.fromEntries(
    Object.entries(languages).map(([name, { whereabouts }]) => {
      const { stdout, status, error } = spawnSync(whereabouts.command, whereabouts.args, { encoding: 'utf8' });
      if (status !== 0)
        throw new Error(`${whereabouts.command} can't be asked where it is: ${error?.message ?? status}`);
      return [name, stdout.trim()];
    }),
  ) as unknown as Scene['executables'];
}

/** Processes of controls that are still there. */
export function findMarked(marker: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && commandLine(pid).includes(marker));
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
