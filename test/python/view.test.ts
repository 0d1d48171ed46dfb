import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { View } from '../../src/languages/view.js';
import { type ViewEntry, ViewKind } from '../../src/protocol.js';
import { skipForeign } from '../support/skip.js';

// Not in the directory for temporary files: a view shows nothing of that.
let root: string;

beforeEach(() => {
  root = realpathSync(mkdtempSync(join('/var/tmp', 'pinfold-view-')));
  for (const path of ['lib/app/secret', 'lib/python', 'bin']) mkdirSync(join(root, path), { recursive: true });
  writeFileSync(join(root, 'lib/file'), 'x');
  symlinkSync('../lib/file', join(root, 'bin/link'));
  symlinkSync('loop', join(root, 'bin/loop'));
  symlinkSync('missing', join(root, 'bin/dangling'));
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(root, { recursive: true, force: true });
});

const summary = (entries: readonly ViewEntry[]) =>
  entries.map((entry) => [
    entry.kind,
    entry.path.replace(root, ''),
    'source' in entry ? entry.source.replace(root, '') : '',
  ]);

test('shows a directory as one bind, and nothing in it again', () => {
  const view = new View([]).show(join(root, 'lib')).show(join(root, 'lib/python')).show(join(root, 'lib'));
  expect(summary(view.entries)).toEqual([[ViewKind.BIND_READ_ONLY, '/lib', '/lib']]);
});

test('leaves out the current directory where it lies inside', () => {
  vi.spyOn(process, 'cwd').mockReturnValue(join(root, 'lib/app'));
  const view = new View([]).show(join(root, 'lib'));
  expect(summary(view.entries)).toEqual([
    [ViewKind.DIRECTORY, '/lib', ''],
    [ViewKind.BIND_READ_ONLY, '/lib/file', '/lib/file'],
    [ViewKind.BIND_READ_ONLY, '/lib/python', '/lib/python'],
  ]);
});

test('shows the current directory where the runtime is in it', () => {
  vi.spyOn(process, 'cwd').mockReturnValue(join(root, 'lib/app'));
  const view = new View([join(root, 'lib/app/secret')]).show(join(root, 'lib'));
  expect(summary(view.entries)).toEqual([[ViewKind.BIND_READ_ONLY, '/lib', '/lib']]);
});

test('never hides the root, where that is the current directory', () => {
  vi.spyOn(process, 'cwd').mockReturnValue('/');
  const view = new View([]).show(join(root, 'lib'));
  expect(summary(view.entries)).toEqual([[ViewKind.BIND_READ_ONLY, '/lib', '/lib']]);
});

test('shows links as links, and follows them when asked', () => {
  const view = new View([]).follow(join(root, 'bin/link'));
  expect(summary(view.entries)).toEqual([
    [ViewKind.SYMLINK, '/bin/link', '../lib/file'],
    [ViewKind.BIND_READ_ONLY, '/lib/file', '/lib/file'],
  ]);
});

test('ends at links that lead nowhere', () => {
  const view = new View([]).follow(join(root, 'bin/loop')).follow(join(root, 'bin/dangling'));
  expect(summary(view.entries)).toEqual([
    [ViewKind.SYMLINK, '/bin/loop', 'loop'],
    [ViewKind.SYMLINK, '/bin/dangling', 'missing'],
  ]);
});

test('leaves out what is missing, and what lies under the scratch', () => {
  expect(new View([]).show(join(root, 'nothing')).show('/tmp').copy(join(root, 'nothing')).entries).toEqual([]);
});

test('shows what is in a closed directory of the runtime, where jobs of root could not', (context) => {
  if (process.geteuid?.() !== 0) return skipForeign(context, "only root's jobs have an id of their own");
  chmodSync(join(root, 'lib'), 0o700);
  const view = new View([]).open(join(root, 'lib'), join(root, 'lib'));
  expect(summary(view.entries).map(([, path]) => path)).toEqual(['/lib', '/lib/app', '/lib/file', '/lib/python']);
});

test('copies small files, but no large ones', () => {
  writeFileSync(join(root, 'large'), Buffer.alloc(2 << 20));
  const view = new View([]).copy(join(root, 'lib/file')).copy(join(root, 'large')).copy(join(root, 'lib'));
  expect(summary(view.entries)).toEqual([[ViewKind.FILE, '/lib/file', '']]);
});

test('of the system shows programs and libraries, not /usr, /etc, /root or the home', () => {
  const view = new View([]).addSystem(false);
  const binds = view.entries.filter(({ kind }) => kind === ViewKind.BIND_READ_ONLY).map(({ path }) => path);
  expect(binds).toEqual(expect.arrayContaining(['/usr/bin', '/usr/lib']));
  for (const path of ['/', '/usr', '/etc', '/root', '/home', '/var', homedir()]) expect(binds).not.toContain(path);
  expect(view.sees('/bin/sh')).toBe(true);
  expect(view.sees('/etc/shadow')).toBe(false);
});

test('of the network shows what the host finds names with, only where there is one', () => {
  const contentOf = (network: boolean, path: string) => {
    const entry = new View([]).addSystem(network).entries.find((candidate) => candidate.path === path);
    return entry?.kind === ViewKind.FILE ? Buffer.from(entry.content).toString() : undefined;
  };
  const ofHost = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : '');
  expect(contentOf(true, '/etc/resolv.conf')).toBe(ofHost('/etc/resolv.conf'));
  expect(contentOf(true, '/etc/hosts')?.startsWith(ofHost('/etc/hosts').trimEnd())).toBe(true);
  expect(contentOf(true, '/etc/hosts')).toMatch(/\blocalhost\b[\s\S]*^127\.0\.0\.1\tpinfold\n$/m);
  expect(contentOf(true, '/etc/nsswitch.conf')).toContain('\nhosts: files dns\n');
  expect(contentOf(false, '/etc/resolv.conf')).toBe('');
  expect(contentOf(false, '/etc/hosts')).toBe('127.0.0.1\tlocalhost\n::1\tlocalhost\n');
  expect(contentOf(false, '/etc/nsswitch.conf')).toContain('\nhosts: files\n');
});

test('copies what a link leads to, as that of systemd-resolved', () => {
  const view = new View([]).copy(join(root, 'bin/link')).copy(join(root, 'bin/dangling')).copy(join(root, 'bin/loop'));
  expect(view.entries).toEqual([{ kind: ViewKind.FILE, path: join(root, 'bin/link'), content: Buffer.from('x') }]);
});
