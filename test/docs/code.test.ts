import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { runCommand } from '../support/command.js';
import { packageRoot } from '../support/tree.js';
import { type CodeBlock, codeBlocks, readPage, readPages } from './markdown.js';
import { typeFaults, typeFaultsIn } from './types.js';

/** A block of code, and what the page says that it prints. */
interface Example extends CodeBlock {
  readonly output: string | undefined;
}

const pages = readPages();
const blocks = pages.flatMap(codeBlocks);
const examples: Example[] = pages.flatMap((page) =>
  codeBlocks(page).map((block, index, all) => {
    const next = all[index + 1];
    return { ...block, output: next?.info === 'text output' ? next.code : undefined };
  }),
);
const runnable = examples.filter(({ info }) => info === 'js');
const typed = examples.filter(({ info }) => info === 'js' || info === 'ts');

const runProgram = (...args: string[]): string => runCommand(process.execPath, args, { cwd: packageRoot });

beforeAll(() => {
  if (!existsSync(join(packageRoot, 'dist/index.d.ts'))) throw new Error('dist is missing: npm run build');
});

describe('code blocks', () => {
  test('are of a kind that is known here, so that none goes unchecked', () => {
    const known = ['js', 'ts', 'sh', 'text', 'text output', ''];
    expect(blocks.filter(({ info }) => !known.includes(info)).map(({ place, info }) => `${place}: ${info}`)).toEqual(
      [],
    );
  });

  test('in pages of every kind are found', () => {
    expect(runnable.length).toBeGreaterThanOrEqual(4);
    expect(typed.length).toBeGreaterThan(runnable.length);
  });

  test('that tell an output follow code that is run', () => {
    const outputs = blocks.filter(({ info }) => info === 'text output').length;
    expect(runnable.filter(({ output }) => output !== undefined)).toHaveLength(outputs);
  });

  test.for(typed.map((example) => [example.place, example] as const))('%s fits the types', ([, { code }]) => {
    expect(typeFaults(code)).toEqual([]);
  });

  test.for(runnable.map((example) => [example.place, example] as const))('%s runs', ([, { code, output }]) => {
    const printed = runProgram('--input-type=module', '--eval', code);
    if (output !== undefined) expect(printed).toBe(output);
  });
});

describe('a type that is wrong', () => {
  test('is found', () => {
    const code = "import { Sandbox } from 'pinfold';\nnew Sandbox({ language: 'cobol' });\n";
    expect(typeFaults(code)).toEqual([expect.stringContaining('line 2: Type \'"cobol"\' is not assignable')]);
  });
});

describe('the quick start', () => {
  const directory = 'examples/quickstart';
  const program = join(packageRoot, directory, 'quickstart.mjs');

  test('prints what its page says', () => {
    const said = codeBlocks(readPage(`${directory}/README.md`)).find(({ info }) => info === 'text');
    expect(runProgram(program)).toBe(said?.code);
  });

  test('fits the types', () => {
    expect(typeFaultsIn([program])).toEqual([]);
  });
});

describe('the README', () => {
  const readme = readPage('README.md');
  const commands = codeBlocks(readme)
    .filter(({ info }) => info === 'sh')
    .map(({ code }) => code);

  test('has the two commands as lines to paste', () => {
    expect(commands).toContain('npm ci && npm run demo\n');
    expect(commands).toContain('npm ci && npm test\n');
  });

  test('fits on one screen', () => {
    expect(readme.text.split('\n').length).toBeLessThanOrEqual(75);
  });
});

describe('npm commands in the pages', () => {
  const { scripts } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const named = pages.flatMap(({ text }) => [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, name = '']) => name));

  test('are scripts of this package', () => {
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  });
});
