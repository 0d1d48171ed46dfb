import { closeSync, fstatSync } from 'node:fs';
import { beforeEach, expect, test, vi } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { VERSION } from '../../src/version.js';

beforeEach(() => {
  vi.resetModules();
  vi.doUnmock('../../src/paths.js');
  vi.doUnmock('../../src/version.js');
});

const load = async () => (await import('../../src/native.js')).loadNative();

const mockPaths = async (changed: { library?: string; supervisor?: string }) => {
  const { prebuiltPaths } = await vi.importActual<typeof import('../../src/paths.js')>('../../src/paths.js');
  vi.doMock('../../src/paths.js', () => ({ prebuiltPaths: () => ({ ...prebuiltPaths(), ...changed }) }));
};

const waitUntil = (check: () => boolean) => vi.waitFor(() => expect(check()).toBe(true), 5_000);

test('the version in the source is that of the package', () => {
  expect(VERSION).toBe(manifest.version);
});

test('a supervisor is started with a socket, ends when it is closed, and is reaped once', async () => {
  const native = await load();
  const { pid, fd } = native.start();
  expect(pid).toBeGreaterThan(0);
  expect(fstatSync(fd).isSocket()).toBe(true);
  expect(native.reap(pid)).toBe(false);
  closeSync(fd);
  await waitUntil(() => native.reap(pid));
  expect(native.reap(pid)).toBe(true);
  expect(() => native.sweep()).not.toThrow();
});

test('the library is loaded once', async () => {
  const { loadNative } = await import('../../src/native.js');
  expect(await loadNative()).toBe(await loadNative());
});

test('a library of another version is refused, with what to do', async () => {
  vi.doMock('../../src/version.js', () => ({ VERSION: '9.9.9' }));
  await expect(load()).rejects.toMatchObject({
    code: 'spawn-failed',
    message: expect.stringMatching(/is of version 0\.1\.0, the package of 9\.9\.9: reinstall pinfold/),
  });
});

test('a library that is missing is told with its path, and looked for again', async () => {
  await mockPaths({ library: '/no/such/pinfold.node' });
  const { loadNative } = await import('../../src/native.js');
  for (let attempt = 0; attempt < 2; attempt++) {
    await expect(loadNative()).rejects.toMatchObject({
      code: 'spawn-failed',
      message: expect.stringMatching(
        /^The native library \/no\/such\/pinfold\.node can't be loaded .*reinstall pinfold/,
      ),
      cause: expect.any(Error),
    });
  }
});

test.each([
  ['/no/such/supervisor', 'ENOENT', 'Reinstall pinfold'],
  [
    '/etc/passwd',
    'EACCES',
    "Make it executable with 'chmod +x', on a file system that isn't mounted with 'noexec', or reinstall pinfold",
  ],
])('a supervisor %s is told with its path, %s and what to do', async (supervisor, errno, advice) => {
  await mockPaths({ supervisor });
  const native = await load();
  expect(() => native.start()).toThrow(
    expect.objectContaining({
      code: 'spawn-failed',
      message: `The supervisor ${supervisor} can't be started: ${errno}. ${advice}`,
    }),
  );
});
