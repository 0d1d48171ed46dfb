import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Sandbox } from '../../src/sandbox.js';
import { skipMissing } from '../support/skip.js';

/** Where packages come from: Debian's python3-* packages, and what pip put into a venv (requirements.txt says which). */
const venv = process.env.PINFOLD_TEST_VENV;
const installations = [
  {
    title: "Debian's packages",
    executable: '/usr/bin/python3',
    how: 'install the python3-* packages that .ci/run names',
  },
  {
    title: 'a venv',
    executable: venv === undefined ? '' : join(venv, 'bin', 'python3'),
    how: 'set PINFOLD_TEST_VENV to a venv with the packages of test/compatibility/requirements.txt',
  },
];

interface Program {
  readonly name: string;
  /** What has to be installed for it. */
  readonly needs?: string;
  /** Calls that it makes and the policy refuses: it goes on without. The C library tries a socket when it looks for users. */
  readonly refused?: readonly string[];
}

const programs: readonly Program[] = [
  { name: 'numpy', needs: 'numpy' },
  { name: 'pandas', needs: 'pandas' },
  { name: 'matplotlib', needs: 'matplotlib' },
  { name: 'scipy', needs: 'scipy' },
  { name: 'pillow', needs: 'PIL' },
  { name: 'requests', needs: 'requests', refused: ['socket'] },
  { name: 'sqlite' },
  { name: 'tls' },
  { name: 'loop' },
  { name: 'workers' },
  { name: 'shell', refused: ['socket'] },
  { name: 'surroundings', refused: ['socket'] },
];

const ENVIRONMENT = { LANG: 'C.UTF-8', PATH: '/usr/bin:/bin' };
const MOST_BYTES = 16 * 1024 * 1024;
const PNG_SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
const PNG_WIDTH_OFFSET = 16;

const warmUps = [
  { preload: [], chosen: programs },
  { preload: ['numpy', 'pandas'], chosen: programs },
  // It keeps a list of fonts in its cache, which is gone when a run begins.
  { preload: ['matplotlib.pyplot'], chosen: programs.filter(({ name }) => name === 'matplotlib') },
];
const cases = installations.flatMap((installation) => warmUps.map((warmUp) => ({ ...installation, ...warmUp })));

describe.each(cases)('with $title and preload $preload, the same is printed as unconfined:', (installation) => {
  const { executable, preload, chosen, how } = installation;
  const isThere = executable !== '' && existsSync(executable);
  const isUsable = isThere && preload.every((name) => hasModule(executable, name));
  let sandbox: Sandbox;

  beforeAll(async () => {
    if (!isUsable) return;
    const limits = {
      wallMs: 60_000,
      cpuMs: 60_000,
      memoryBytes: '1GiB',
      processes: 128,
      outputBytes: MOST_BYTES,
    } as const;
    sandbox = new Sandbox({ language: 'python', executable, preload, concurrency: 1, limits });
    await sandbox.ready();
  });

  afterAll(() => sandbox?.close());

  for (const { name, needs, refused = [] } of chosen) {
    test(name, async (context) => {
      if (!isUsable) return skipMissing(context, how);
      if (needs !== undefined && !hasModule(executable, needs)) return skipMissing(context, `no ${needs}: ${how}`);
      const code = readFileSync(join(import.meta.dirname, '../fixtures/packages', `${name}.py`));
      const bare = await runBare(executable, code);
      const env = { ...ENVIRONMENT, HOME: '/work' };
      const confined = await sandbox.run(code, { env, encoding: 'buffer' });
      expect({ stderr: `${confined.stderr}`, ok: confined.ok }).toEqual({ stderr: '', ok: true });
      expect(confined.stdout.length).toBeGreaterThan(0);
      if (name === 'matplotlib') expectPicture(confined.stdout, 600, 300);
      else expect(`${confined.stdout}`).toBe(`${bare}`);
      expect(confined.stdout.equals(bare)).toBe(true);
      expect([...new Set(confined.denials.map(({ syscall }) => syscall))]).toEqual(refused);
    });
  }
});

async function runBare(executable: string, code: Uint8Array): Promise<Buffer> {
  const directory = await mkdtemp(join(tmpdir(), 'pinfold-bare-'));
  try {
    await writeFile(join(directory, 'main.py'), code);
    const options = { cwd: directory, env: { ...ENVIRONMENT, HOME: directory }, maxBuffer: MOST_BYTES } as const;
    return (await promisify(execFile)(executable, ['main.py'], { ...options, encoding: 'buffer' })).stdout;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function expectPicture(bytes: Buffer, width: number, height: number): void {
  expect(bytes.subarray(0, PNG_SIGNATURE.length)).toEqual(PNG_SIGNATURE);
  expect([bytes.readUInt32BE(PNG_WIDTH_OFFSET), bytes.readUInt32BE(PNG_WIDTH_OFFSET + 4)]).toEqual([width, height]);
}

function hasModule(executable: string, name: string): boolean {
  return spawnSync(executable, ['-c', `import ${name}`]).status === 0;
}
