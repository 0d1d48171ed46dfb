// What build.mjs and the stale check share: how the native parts are built, and what a prebuild records about its origin.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const packageRoot = dirname(dirname(fileURLToPath(import.meta.url)));

/** The products, as they are called in prebuilds/<platform>-<arch>/. */
export const products = ['pinfold.node', 'pinfold-supervisor'];

/** @param {string} root the tree that holds package.json, native and prebuilds */
export function prebuildDirectory(root = packageRoot) {
  return join(root, 'prebuilds', `linux-${process.arch}`);
}

/** Beside the products: what they were made of. */
const recordFile = (/** @type {string} */ root) => join(prebuildDirectory(root), 'sources.sha256');

/** @param {string | Buffer} content */
const sha256 = (content) => createHash('sha256').update(content).digest('hex');

/** Everything that decides what the products are: C sources, headers, flags and the package's version. */
export function hashSources(root = packageRoot) {
  const native = join(root, 'native');
  const files = ['base', 'confine', 'include', 'library', 'supervisor']
    .flatMap((directory) => readdirSync(join(native, directory)).map((name) => join(native, directory, name)))
    .filter((file) => /\.[chS]$/.test(file));
  const hash = createHash('sha256');
  for (const file of [...files.sort(), join(native, 'binding.gyp'), join(native, 'sources.mjs')]) {
    hash.update(`${relative(native, file)} ${sha256(readFileSync(file))}\n`);
  }
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return hash.update(`version ${version}\n`).digest('hex');
}

/** Compiler and linker in one line, or undefined where there is none. Other ones make other bytes. */
export function compiler() {
  const env = { ...process.env, LC_ALL: 'C' };
  const first = (/** @type {string[]} */ ...args) =>
    execFileSync(process.env.CC ?? 'gcc', args, { encoding: 'utf8', env, stdio: 'pipe' }).split('\n', 1)[0];
  try {
    return `${first('--version')}, ${first('-Wl,--version')}`;
  } catch {
    return undefined;
  }
}

/** Where this node has its own headers, or undefined where it has none. Nothing is ever downloaded. */
export function nodeDirectory() {
  const directory = dirname(dirname(process.execPath));
  return existsSync(join(directory, 'include/node/common.gypi')) ? directory : undefined;
}

/**
 * Builds the native parts of the tree `root` into its prebuilds directory, stripped, and records what they were made of.
 * The tools come from this package, whatever tree is built.
 */
export function buildNative(root = packageRoot) {
  const usedCompiler = compiler();
  if (usedCompiler === undefined) throw new Error('no C compiler: install gcc, or set CC');
  if (nodeDirectory() === undefined) throw new Error(`${process.execPath} has no headers in ../include/node beside it`);
  const native = join(root, 'native');
  const tools = join(packageRoot, 'node_modules/.bin');
  const where = [
    '--cwd',
    native,
    '--out',
    root,
    '--cache',
    join(native, 'build'),
    '--node-gyp',
    join(tools, 'node-gyp'),
  ];
  run(join(tools, 'prebuildify'), ['--napi', '--strip', '--name', 'pinfold', '--target', process.version, ...where]);

  const directory = prebuildDirectory(root);
  // prebuildify copies .node files alone. A rename, since a supervisor that runs can't be written to. copyFile keeps the run bit.
  const supervisor = join(directory, 'pinfold-supervisor');
  copyFileSync(join(native, 'build/Release/pinfold-supervisor'), `${supervisor}.new`);
  renameSync(`${supervisor}.new`, supervisor);
  const hashes = products.map((name) => `${name} ${sha256(readFileSync(join(directory, name)))}\n`);
  writeFileSync(recordFile(root), `sources ${hashSources(root)}\ncompiler ${usedCompiler}\n${hashes.join('')}`);
  return products.map((name) => ({ name, bytes: statSync(join(directory, name)).size }));
}

/** What the record in the prebuilds directory says, by name; empty where there is none. */
export function readRecord(root = packageRoot) {
  if (!existsSync(recordFile(root))) return new Map();
  const lines = readFileSync(recordFile(root), 'utf8').trim().split('\n');
  return new Map(
    lines.map((line) => /** @type {const} */ ([line.split(' ', 1)[0], line.slice(line.indexOf(' ') + 1)])),
  );
}

/**
 * @param {string} command
 * @param {string[]} args
 */
function run(command, args) {
  const cc = process.env.CC ?? 'gcc';
  // Everything is C: gyp would link with a C++ compiler. The caller's own flags would change the bytes.
  /** @type {NodeJS.ProcessEnv} */
  const env = { ...process.env, CC: cc, CXX: cc, npm_config_nodedir: nodeDirectory() };
  for (const name of ['CFLAGS', 'CPPFLAGS', 'CXXFLAGS', 'LDFLAGS', 'CFLAGS_target', 'LDFLAGS_target']) delete env[name];
  const { status, error, stdout, stderr } = spawnSync(command, args, { env, encoding: 'utf8' });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ended with ${status}:\n${stdout}${stderr}`);
  if (/\bwarning:/i.test(stderr)) process.stderr.write(stderr);
}
