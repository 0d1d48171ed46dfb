import { lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync, type Stats, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { posix } from 'node:path';
import { packagePath } from '../paths.js';
import { type ViewEntry, ViewKind } from '../protocol.js';
import type { RuntimeRequest } from './language.js';

/** What a job sees of the file system: a private root, read-only but for the scratch, put together from these pieces. */

/** Each job gets its own scratch here, so nothing of the host can be seen at or below these. */
export const SCRATCH_PATHS = ['/tmp', '/work', '/dev/shm'] as const;
const MADE_PATHS = ['/proc', '/dev', '/.pinfold', ...SCRATCH_PATHS];

/** Where programs, their libraries and the dynamic loader are. Not all of /usr: there may be an app in it, or its secrets. */
const SYSTEM_DIRECTORIES = [
  '/usr/lib',
  '/usr/lib64',
  '/usr/bin',
  '/usr/sbin',
  '/lib',
  '/lib64',
  '/bin',
  '/sbin',
  // Headers, for compilers: of the system's libraries, and of Debian's Python.
  '/usr/include',
  '/usr/share/zoneinfo',
  '/usr/share/terminfo',
  // What draws text asks fontconfig, whose settings are links into its share.
  '/usr/share/fonts',
  '/usr/share/fontconfig',
  '/etc/fonts',
  // Where Debian's links in /usr/bin lead.
  '/etc/alternatives',
];

/** Files that say nothing about this machine but how its programs are to run. Copied: a mount costs every job some time. */
const SYSTEM_FILES = [
  '/etc/ld.so.cache',
  '/etc/ld-musl-x86_64.path',
  '/etc/ld-musl-aarch64.path',
  '/etc/mime.types',
  '/etc/protocols',
  '/etc/services',
  '/etc/os-release',
  '/etc/timezone',
  '/etc/ssl/openssl.cnf',
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
];
/** How names become addresses, and whose certificates are believed: only where there is a network to use them with. */
const NETWORK_FILES = [
  '/etc/resolv.conf',
  '/etc/host.conf',
  '/etc/gai.conf',
  // The bundles that OpenSSL looks for by default: Alpine and Arch, Fedora. Debian's looks into the directory below.
  '/etc/ssl/cert.pem',
  '/etc/pki/tls/cert.pem',
];
/** With what the links in them lead to: Debian's two, Fedora's, Arch's. */
const CERTIFICATE_DIRECTORIES = [
  '/etc/ssl/certs',
  '/usr/share/ca-certificates',
  '/usr/local/share/ca-certificates',
  '/etc/pki/ca-trust/extracted',
  '/etc/ca-certificates/extracted',
];
const OPEN_TO_OTHERS = 0o005;
const COPIED_BYTES = 1024 * 1024;

const USER = 'pinfold';
const USER_ID = 1000;
const HOME = '/work';
const LOCAL_HOSTS = '127.0.0.1\tlocalhost\n::1\tlocalhost\n';

const MADE_FILES: Readonly<Record<string, string>> = {
  '/etc/passwd': `root:x:0:0:root:/:/bin/sh\n${USER}:x:${USER_ID}:${USER_ID}:${USER}:${HOME}:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n`,
  '/etc/group': `root:x:0:\n${USER}:x:${USER_ID}:\nnogroup:x:65534:\n`,
  '/etc/hosts': LOCAL_HOSTS,
  '/etc/hostname': `${USER}\n`,
  '/etc/nsswitch.conf': nameServices('files'),
  '/etc/resolv.conf': '',
};

const DEVICES = ['null', 'zero', 'full', 'random', 'urandom'];
const DEVICE_LINKS: Readonly<Record<string, string>> = {
  '/dev/fd': '/proc/self/fd',
  '/dev/stdin': '/proc/self/fd/0',
  '/dev/stdout': '/proc/self/fd/1',
  '/dev/stderr': '/proc/self/fd/2',
};

export class View {
  readonly #entries: ViewEntry[] = [];
  /** Paths that show the host's files at the same path. */
  readonly #shown = new Set<string>();
  readonly #made = new Set<string>();
  readonly #kept: readonly string[];

  /** Directories in `needed` are the runtime's own: what contains them is not kept from the view. */
  constructor(needed: readonly string[]) {
    this.#kept = privateDirectories().filter((kept) => !needed.some((path) => isInside(path, kept)));
  }

  get entries(): readonly ViewEntry[] {
    return this.#entries;
  }

  directory(path: string): this {
    return this.#add(path, { kind: ViewKind.DIRECTORY, path });
  }

  file(path: string, content: string | Uint8Array): this {
    return this.#add(path, { kind: ViewKind.FILE, path, content: Buffer.from(content) });
  }

  link(path: string, source: string): this {
    return this.#add(path, { kind: ViewKind.SYMLINK, path, source });
  }

  /** Shows a file or directory of the host read-only, at `path`. */
  bind(path: string, source: string): this {
    return this.#add(path, { kind: ViewKind.BIND_READ_ONLY, path, source });
  }

  /**
   * Shows what lies at this path on the host (or at `source`): a link as a link, a directory without what must not be seen (the
   * caller's own directories, where they lie inside it). What is missing, can be seen already, or would lie under the scratch is
   * left out.
   */
  show(path: string, source = path): this {
    const stats = statusOf(source);
    if (!stats || this.sees(path) || SCRATCH_PATHS.some((scratch) => isInside(path, scratch))) return this;
    if (stats.isSymbolicLink()) return this.link(path, readlinkSync(source));
    if (this.#kept.includes(source)) return this;
    if (stats.isDirectory() && this.#kept.some((kept) => isInside(kept, source))) return this.#showPieces(path, source);
    this.#shown.add(path).add(realPath(path));
    return this.bind(path, source);
  }

  /**
   * Shows a directory of the runtime's own, also where nobody but its owner may enter it, as those that mkdtemp makes: jobs of
   * root are not root, and what the caller told to be run in there is theirs to read.
   */
  open(path: string, source = path): this {
    const stats = statusOf(source);
    const isClosed = stats?.isDirectory() && (stats.mode & OPEN_TO_OTHERS) !== OPEN_TO_OTHERS;
    return isClosed && process.geteuid?.() === 0 && !this.sees(path)
      ? this.#showPieces(path, source)
      : this.show(path, source);
  }

  /** Shows what lies at this path, and where it is a link, all that it leads to. */
  follow(path: string): this {
    this.show(path);
    const next = statusOf(path)?.isSymbolicLink() ? posix.resolve(posix.dirname(path), readlinkSync(path)) : path;
    return statusOf(path, statSync) && next !== path ? this.follow(next) : this;
  }

  /** A small file of the host, copied. */
  copy(path: string): this {
    const stats = statusOf(path, statSync);
    if (!stats?.isFile() || stats.size > COPIED_BYTES || this.sees(path)) return this;
    try {
      return this.file(path, readFileSync(path));
    } catch {
      // Not for this user's eyes, nor then for a job's.
      return this;
    }
  }

  /** Whether a job finds the host's file at this path; links on the way are followed. */
  sees(path: string): boolean {
    if (this.#made.has(path)) return true;
    const real = posix.join(realPath(posix.dirname(path)), posix.basename(path));
    for (const shown of this.#shown) {
      if (isInside(real, shown)) return true;
    }
    return false;
  }

  /** What every runtime needs: loader, libraries, usual programs, /dev, a made-up /etc. */
  addSystem(network: boolean): this {
    for (const path of [...MADE_PATHS, '/etc']) this.directory(path);
    if (network) this.#addNetwork();
    for (const path of SYSTEM_DIRECTORIES) this.follow(path);
    for (const path of SYSTEM_FILES) this.copy(path);
    for (const [path, content] of Object.entries(MADE_FILES)) this.file(path, content);
    this.#addTimeZone();
    for (const name of DEVICES) {
      const path = `/dev/${name}`;
      this.#add(path, { kind: ViewKind.DEVICE, path, source: path });
    }
    for (const [path, target] of Object.entries(DEVICE_LINKS)) this.link(path, target);
    return this;
  }

  /** The caller's own mounts: last, so that they lie above all others. */
  addMounts(mounts: RuntimeRequest['mounts']): this {
    for (const { source, target, writable } of mounts) {
      const kind = writable ? ViewKind.BIND_WRITABLE : ViewKind.BIND_READ_ONLY;
      this.#entries.push({ kind, path: target, source });
    }
    return this;
  }

  /** As the host finds names and believes certificates. Before what is made up, which is for those without a network. */
  #addNetwork(): void {
    this.file('/etc/hosts', networkHosts());
    this.file('/etc/nsswitch.conf', nameServices('files dns'));
    for (const path of CERTIFICATE_DIRECTORIES) this.follow(path);
    for (const path of NETWORK_FILES) this.copy(path);
  }

  #showPieces(path: string, source: string): this {
    this.directory(path);
    for (const name of readdirSync(source)) this.show(posix.join(path, name), posix.join(source, name));
    return this;
  }

  /** Programs read the zone's name from the link, the rules from the file. */
  #addTimeZone(): void {
    const path = '/etc/localtime';
    if (!statusOf(path)) return;
    const target = realPath(path);
    if (this.sees(target)) this.link(path, target);
    else this.copy(path);
  }

  #add(path: string, entry: ViewEntry): this {
    if (this.#made.has(path)) return this;
    this.#made.add(path);
    this.#entries.push(entry);
    return this;
  }
}

/** Not the host's: that may name modules which ask a daemon by a UNIX socket, and jobs have none. */
function nameServices(hosts: string): string {
  return `passwd: files\ngroup: files\nhosts: ${hosts}\nservices: files\nprotocols: files\n`;
}

/** The host's, and the job's own name, which no server knows: http.server asks for it. */
function networkHosts(): string {
  const host = readText('/etc/hosts');
  const local = /^[^#\n]*\blocalhost\b/m.test(host) ? '' : LOCAL_HOSTS;
  return `${host.trimEnd()}\n${local}127.0.0.1\t${USER}\n`;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

export function isInside(path: string, directory: string): boolean {
  return path === directory || directory === '/' || path.startsWith(`${directory}/`);
}

export function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

export function statusOf(path: string, read: (path: string) => Stats = lstatSync): Stats | undefined {
  try {
    return read(path);
  } catch {
    return undefined;
  }
}

/** The caller's directories, none of which is a runtime: this package, the current directory, the home. Never the root. */
export function privateDirectories(): string[] {
  const directories = [posix.dirname(packagePath('package.json')), process.cwd(), homedir()].map(realPath);
  return directories.filter((directory) => posix.isAbsolute(directory) && directory !== '/');
}
