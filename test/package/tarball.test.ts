import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCommand } from '../support/command.js';
import { skipForeign } from '../support/skip.js';
import { packageRoot } from '../support/tree.js';

const body = `
  const sandbox = new Sandbox({ language: 'python' });
  await sandbox.ready();
  const { reason, exitCode, stdout, stderr } = await sandbox.run('print(1)');
  await sandbox.close();
  console.log(JSON.stringify({ version: process.versions.node, uid: process.getuid(), reason, exitCode, stdout, stderr }));
`;

const programs = {
  'from-import.mjs': `import { Sandbox } from 'pinfold';\n${body}`,
  'from-require.cjs': `const { Sandbox } = require('pinfold');\n(async () => {${body}})();\n`,
};

const isRoot = process.getuid?.() === 0;
const users = isRoot ? [0, 65534] : [process.getuid?.() ?? -1];

/** The Nodes that are tried besides the one that runs this, by version: the registry has each as a package. */
const otherNodes = ['20.20', '22', '24', '26'];
const fetchesNodes = process.env.PINFOLD_NODE_MATRIX === '1';

let directory: string;
let project: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'pinfold-tarball-'));
  chmodSync(directory, 0o755);
  project = installTarball(directory);
}, 300_000);

afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('the packed tarball in an empty project', () => {
  test('runs Python by import and by require', () => {
    expect(runEverywhere(process.execPath)).toBe(process.versions.node);
  });

  test.for(otherNodes)('runs Python by import and by require on Node %s', (version, context) => {
    if (!fetchesNodes) skipForeign(context, 'only PINFOLD_NODE_MATRIX=1 fetches other Nodes');
    const node = join(project, 'node_modules', nodePackage(version), 'bin/node');
    expect(`${runEverywhere(node)}.`.startsWith(`${version}.`)).toBe(true);
  });
});

const nodePackage = (version: string): string => `node-${version}`;

/** Packs this tree and installs the tarball with its dependencies, and the other Nodes, in an empty project. */
function installTarball(directory: string): string {
  runCommand('npm', ['pack', '--pack-destination', directory], { cwd: packageRoot });
  const tarball = readdirSync(directory).find((name) => name.endsWith('.tgz'));
  const project = join(directory, 'project');
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "private": true }\n');
  const nodes = (fetchesNodes ? otherNodes : []).map(
    (version) => `${nodePackage(version)}@npm:node-linux-${process.arch}@${version}`,
  );
  const options = ['--prefer-offline', '--no-audit', '--no-fund'];
  runCommand('npm', ['install', ...options, join('..', String(tarball)), ...nodes], { cwd: project });
  for (const [name, text] of Object.entries(programs)) writeFileSync(join(project, name), text);
  return project;
}

/** Runs each program as each user, checks what came out, and gives the version of the Node that ran them. */
function runEverywhere(node: string): string {
  const versions = new Set<string>();
  for (const uid of users) {
    for (const program of Object.keys(programs)) {
      const { version, ...said } = JSON.parse(runProgram(node, program, uid)) as { version: string };
      const result = { reason: 'exited', exitCode: 0, stdout: '1\n', stderr: '' };
      expect({ program, ...said }).toEqual({ program, uid, ...result });
      versions.add(version);
    }
  }
  return [...versions].join(' and ');
}

function runProgram(node: string, program: string, uid: number): string {
  // What another user can't read of root's own PATH is no interpreter of his.
  const env = uid === 65534 && isRoot ? { PATH: '/usr/local/bin:/usr/bin:/bin' } : process.env;
  const user = uid === process.getuid?.() ? {} : { uid, gid: uid };
  return runCommand(node, [program], { cwd: project, env, ...user });
}
