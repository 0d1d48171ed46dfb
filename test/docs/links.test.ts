import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import { packageRoot } from '../support/tree.js';
import { anchors, linkTargets, type Page, readPage, readPages } from './markdown.js';

const pages = readPages();

describe('links', () => {
  test.for(pages.map((page) => [page.path, page] as const))('of %s lead somewhere', ([, page]) => {
    expect(linkTargets(page).filter((target) => !leadsSomewhere(page, target))).toEqual([]);
  });

  test('of all pages lead to every page of docs', () => {
    const linked = new Set(pages.flatMap((page) => linkTargets(page).map((target) => fileOf(page, target))));
    const unlinked = pages.map(({ path }) => path).filter((path) => path.startsWith('docs/') && !linked.has(path));
    expect(unlinked).toEqual([]);
  });
});

describe('files named in the pages', () => {
  const named = pages.flatMap(({ path, text }) =>
    [...text.matchAll(/`((?:src|native|test|docs|examples|prebuilds|\.ci)\/[\w./-]*)`/g)].map(([, file = '']) => ({
      path,
      file,
    })),
  );

  test('exist', () => {
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter(({ file }) => !existsSync(join(packageRoot, file)))).toEqual([]);
  });
});

function leadsSomewhere(page: Page, target: string): boolean {
  // Nothing outside is fetched: the tests need no network.
  if (/^https:\/\/[\w.-]+\/?/.test(target)) return true;
  const file = fileOf(page, target);
  const [, anchor] = target.split('#');
  if (!existsSync(join(packageRoot, file))) return false;
  return anchor === undefined || anchors(readPage(file)).includes(anchor);
}

function fileOf(page: Page, target: string): string {
  const [path] = target.split('#');
  return path ? posix.join(posix.dirname(page.path), decodeURI(path)) : page.path;
}
