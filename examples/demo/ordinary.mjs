// Programs that nobody here wrote: modules of Python's standard library, run as programs on files of this repository.
// What each prints is compared with what Node makes of the same file.
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { repositoryFile } from './repository.mjs';

/** @typedef {import('./expectation.mjs').Program} Program */

const RUN = `
import runpy, sys

def run(module, *arguments):
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name='__main__', alter_sys=True)

`;

const manifest = repositoryFile('package.json');
const lock = repositoryFile('package-lock.json');
const licence = repositoryFile('LICENSE');
const readme = repositoryFile('README.md');
const prescript = repositoryFile('native/prescripts/python.py');
const errors = repositoryFile('docs/errors.md');
const limits = repositoryFile('docs/limits.md');
const documents = readdirSync(new URL('../../docs', import.meta.url))
  .filter((name) => name.endsWith('.md'))
  .sort();

const sha256 = (/** @type {string} */ text) => createHash('sha256').update(text).digest('hex');
const linesOf = (/** @type {string} */ text) => text.replace(/\n$/, '').split('\n');
const sameJson = (/** @type {string} */ text, /** @type {string} */ other) =>
  JSON.stringify(JSON.parse(text)) === JSON.stringify(JSON.parse(other));

/** @type {readonly Program[]} */
export const ordinaryPrograms = [
  {
    name: 'json.tool',
    stdin: manifest,
    code: `${RUN}run('json.tool')`,
    expect: { reason: 'exited', exitCode: 0, stdout: (text) => sameJson(text, manifest) },
  },
  {
    name: 'json.tool on prose',
    stdin: readme,
    code: `${RUN}run('json.tool')`,
    expect: { reason: 'exited', exitCode: 1, stderr: /^Expecting value: line 1 column 1/ },
  },
  {
    name: 'tokenize',
    code: `${RUN}run('tokenize', '/data/native/prescripts/python.py')`,
    expect: { reason: 'exited', exitCode: 0, stdout: /^0,0-0,0: +ENCODING +'utf-8' *\n[\s\S]*ENDMARKER +'' *\n$/ },
  },
  {
    name: 'ast',
    stdin: prescript,
    code: `
import ast, sys
print(ast.dump(ast.parse(sys.stdin.read())))`,
    expect: {
      reason: 'exited',
      exitCode: 0,
      stdout: /^Module\(body=\[Expr\(value=Constant\([\s\S]*FunctionDef\(name='/,
    },
  },
  {
    name: 'dis',
    stdin: prescript,
    code: `${RUN}run('dis')`,
    expect: { reason: 'exited', exitCode: 0, stdout: /IMPORT_NAME +\d+ \(sys\)[\s\S]*Disassembly of <code object/ },
  },
  {
    name: 'pyclbr',
    code: `${RUN}run('pyclbr', '/data/native/prescripts/python.py')`,
    expect: { reason: 'exited', exitCode: 0, stdout: (text) => isOutline(text, prescript) },
  },
  {
    name: 'tabnanny',
    code: `${RUN}run('tabnanny', '-v', '/data/native/prescripts/python.py')`,
    expect: { reason: 'exited', exitCode: 0, stdout: /Clean bill of health\.\n$/ },
  },
  {
    name: 'compileall',
    code: `
import shutil
shutil.copytree('/data/native/prescripts', 'prescripts')
${RUN}run('compileall', 'prescripts')`,
    expect: { reason: 'exited', exitCode: 0, stdout: /Compiling 'prescripts\/python\.py'\.\.\.\n$/ },
  },
  {
    name: 'calendar',
    code: `${RUN}run('calendar', '2024', '2')`,
    expect: { reason: 'exited', exitCode: 0, stdout: /^ +February 2024\nMo Tu We Th Fr Sa Su\n[\s\S]*\b28 29 *\n/ },
  },
  {
    name: 'textwrap',
    stdin: licence,
    code: `
import sys, textwrap
print(textwrap.fill(sys.stdin.read(), width=60))`,
    expect: {
      reason: 'exited',
      exitCode: 0,
      stdout: (text) => linesOf(text).every((line) => line.length <= 60) && sameJson(asWords(text), asWords(licence)),
    },
  },
  {
    name: 'difflib',
    code: `
import difflib, pathlib, sys
pages = [pathlib.Path('/data/docs', name).read_text().splitlines(keepends=True) for name in ('errors.md', 'limits.md')]
sys.stdout.writelines(difflib.ndiff(*pages))`,
    limits: { wallMs: 20_000 },
    expect: {
      reason: 'exited',
      exitCode: 0,
      stdout: (text) => sideOf(text, '-') === errors && sideOf(text, '+') === limits,
    },
  },
  {
    name: 'zipfile',
    code: `${RUN}
run('zipfile', '-c', 'docs.zip', '/data/docs')
run('zipfile', '-l', 'docs.zip')`,
    expect: {
      reason: 'exited',
      exitCode: 0,
      stdout: (text) => documents.every((name) => text.includes(`docs/${name}`)),
    },
  },
  {
    name: 'tarfile',
    code: `${RUN}
import os
os.chdir('/data')
run('tarfile', '-c', '/tmp/docs.tar.gz', 'docs')
run('tarfile', '-l', '/tmp/docs.tar.gz')`,
    expect: {
      reason: 'exited',
      exitCode: 0,
      stdout: (text) => documents.every((name) => text.includes(`docs/${name}`)),
    },
  },
  {
    name: 'gzip',
    stdin: readme,
    code: `${RUN}run('gzip', '-')`,
    expect: { reason: 'exited', exitCode: 0, bytes: (bytes) => gunzipSync(bytes).toString() === readme },
  },
  {
    name: 'base64',
    stdin: licence,
    code: `${RUN}run('base64', '-e')`,
    expect: {
      reason: 'exited',
      exitCode: 0,
      stdout: (text) => Buffer.from(text, 'base64').toString() === licence,
    },
  },
  {
    name: 'hashlib',
    code: `
import hashlib, pathlib
for path in sorted(pathlib.Path('/data/docs').glob('*.md')):
    print(hashlib.sha256(path.read_bytes()).hexdigest(), path.name)`,
    expect: {
      reason: 'exited',
      exitCode: 0,
      stdout: (text) =>
        text === documents.map((name) => `${sha256(repositoryFile(`docs/${name}`))} ${name}\n`).join(''),
    },
  },
  {
    name: 'concurrent.futures',
    code: `
import hashlib, multiprocessing, pathlib
from concurrent.futures import ProcessPoolExecutor

def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()

if __name__ == '__main__':
    paths = sorted(pathlib.Path('/data/docs').glob('*.md'))
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context('fork')) as pool:
        for path, text in zip(paths, pool.map(digest, paths)):
            print(text, path.name)`,
    expect: {
      reason: 'exited',
      exitCode: 0,
      stdout: (text) =>
        text === documents.map((name) => `${sha256(repositoryFile(`docs/${name}`))} ${name}\n`).join(''),
    },
  },
  {
    name: 'subprocess',
    stdin: manifest,
    code: `
import subprocess, sys
subprocess.run([sys.executable, '-m', 'json.tool'], check=True)`,
    expect: { reason: 'exited', exitCode: 0, stdout: (text) => sameJson(text, manifest) },
  },
  {
    name: 'sqlite3',
    stdin: readme,
    code: `
import re, sqlite3, sys
database = sqlite3.connect('words.db')
database.execute('create table words (word text)')
words = re.findall('[a-z]+', sys.stdin.read().lower())
database.executemany('insert into words values (?)', ([word] for word in words))
database.commit()
for row in database.execute('select count(*), word from words group by word order by 1 desc, 2 limit 5'):
    print(*row)`,
    expect: { reason: 'exited', exitCode: 0, stdout: (text) => text === topWords(readme, 5) },
  },
  {
    name: 'csv',
    stdin: lock,
    code: `
import csv, json, sys
table = csv.writer(sys.stdout, lineterminator='\\n')
for path, package in json.load(sys.stdin)['packages'].items():
    table.writerow([path.rpartition('node_modules/')[2], package['version'], package.get('license')])`,
    expect: {
      reason: 'exited',
      exitCode: 0,
      stdout: (text) =>
        linesOf(text)[0] === `,${JSON.parse(manifest).version},MIT` &&
        linesOf(text).length === Object.keys(JSON.parse(lock).packages).length,
    },
  },
  {
    name: 'statistics',
    stdin: readme,
    code: `
import statistics, sys
lengths = [len(line) for line in sys.stdin.read().splitlines()]
print('median', statistics.median_low(lengths), 'of', len(lengths), 'lines')`,
    expect: {
      reason: 'exited',
      exitCode: 0,
      stdout: (text) => text === `median ${medianLength(readme)} of ${linesOf(readme).length} lines\n`,
    },
  },
  {
    name: 'timeit',
    code: `${RUN}run('timeit', '-n', '500', '-r', '3', '-s', 'text = open("/data/README.md").read()', 'text.split()')`,
    expect: { reason: 'exited', exitCode: 0, stdout: /^500 loops, best of 3: [\d.]+ [num]?sec per loop\n$/ },
  },
  {
    name: 'unittest',
    code: `
import difflib, doctest, json, statistics, sys, unittest
suite = unittest.TestSuite(doctest.DocTestSuite(module) for module in (difflib, json, statistics))
result = unittest.TextTestRunner(sys.stdout).run(suite)
sys.exit(not result.wasSuccessful())`,
    limits: { wallMs: 20_000 },
    expect: { reason: 'exited', exitCode: 0, stdout: /^\.{3,}\n[\s\S]*\nRan \d+ tests in [\d.]+s\n\nOK\n$/ },
  },
  {
    name: 'inspect',
    code: `${RUN}run('inspect', 'textwrap:dedent')`,
    expect: { reason: 'exited', exitCode: 0, stdout: /^def dedent\(text\):\n/ },
  },
  {
    name: 'pydoc',
    code: `${RUN}run('pydoc', 'calendar')`,
    expect: { reason: 'exited', exitCode: 0, stdout: /^Help on module calendar:\n\nNAME\n {4}calendar/ },
  },
  {
    name: 'this',
    code: `${RUN}run('this')`,
    expect: { reason: 'exited', exitCode: 0, stdout: /^The Zen of Python, by Tim Peters\n/ },
  },
];

/**
 * Lines such as `def main 84` and `class Native [] 142`, each true of the source.
 * @param {string} outline
 * @param {string} source
 */
function isOutline(outline, source) {
  const sourceLines = linesOf(source);
  const entries = linesOf(outline).map((line) => /^ *((?:def|class) \w+) .*?(\d+)$/.exec(line));
  return (
    entries.length > 20 &&
    entries.every((entry) => entry && sourceLines[Number(entry[2]) - 1]?.trim().startsWith(String(entry[1])))
  );
}

/** @param {string} text */
function asWords(text) {
  return JSON.stringify(text.split(/\s+/).filter(Boolean));
}

/**
 * One of the two texts that an ndiff tells apart.
 * @param {string} diff
 * @param {'-' | '+'} side
 */
function sideOf(diff, side) {
  const lines = linesOf(diff).filter((line) => line.startsWith(`${side} `) || line.startsWith('  '));
  return lines.map((line) => `${line.slice(2)}\n`).join('');
}

/**
 * @param {string} text
 * @param {number} count
 */
function topWords(text, count) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const word of text.toLowerCase().match(/[a-z]+/g) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1);
  const sorted = [...counts].sort(([word, uses], [other, otherUses]) => otherUses - uses || (word < other ? -1 : 1));
  return sorted
    .slice(0, count)
    .map(([word, uses]) => `${uses} ${word}\n`)
    .join('');
}

/** @param {string} text */
function medianLength(text) {
  const lengths = linesOf(text).map((line) => [...line].length);
  return lengths.sort((a, b) => a - b)[Math.floor((lengths.length - 1) / 2)];
}
