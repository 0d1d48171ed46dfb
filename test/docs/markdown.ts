import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../support/tree.js';

/** A page of documentation; `path` is relative to the root of this package, with `/`. */
export interface Page {
  readonly path: string;
  readonly text: string;
}

export interface CodeBlock {
  /** `README.md:14`, where the code begins. */
  readonly place: string;
  /** What stands behind the fence: `js`, `text output`. */
  readonly info: string;
  readonly code: string;
}

/** Every page that people read: at the root, in docs and in examples. */
export function readPages(): Page[] {
  const below = (directory: string) =>
    readdirSync(join(packageRoot, directory), { recursive: true, encoding: 'utf8' }).map(
      (name) => `${directory}/${name}`,
    );
  const paths = [...readdirSync(packageRoot), ...below('docs'), ...below('examples')];
  return paths.filter((path) => path.endsWith('.md')).map(readPage);
}

export function readPage(path: string): Page {
  return { path, text: readFileSync(join(packageRoot, path), 'utf8') };
}

export function codeBlocks({ path, text }: Page): CodeBlock[] {
  return [...text.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(({ index, 1: info = '', 2: code = '' }) => ({
    place: `${path}:${lineOf(text, index) + 1}`,
    info,
    code,
  }));
}

/** Targets of all links, as they are written. */
export function linkTargets({ text }: Page): string[] {
  return [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
}

/** What `#…` can name in a page, as GitHub makes it of headings. */
export function anchors({ text }: Page): string[] {
  return [...withoutBlocks(text).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replace(/\s/g, '-'),
  );
}

/** The rows of every table whose first column is headed `heading`: each a list of cells. */
export function tableRows({ text }: Page, heading: string): string[][] {
  const tables = text.match(/^\|.*(?:\n\|.*)*/gm) ?? [];
  return tables
    .map((table) => table.split('\n').map(cellsOf))
    .filter(([head]) => head?.[0] === heading)
    .flatMap((rows) => rows.slice(2));
}

function cellsOf(row: string): string[] {
  return row
    .replace(/^\||\|$/g, '')
    .split('|')
    .map((cell) => cell.trim());
}

function withoutCode(text: string): string {
  return withoutBlocks(text).replace(/`[^`\n]*`/g, 'code');
}

function withoutBlocks(text: string): string {
  return text.replace(/^```[\s\S]*?^```$/gm, '');
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}
