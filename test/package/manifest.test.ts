import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { VERSION } from '../../src/version.js';
import { packageRoot } from '../support/tree.js';

interface LockEntry {
  version?: string;
  resolved?: string;
  optionalDependencies?: Record<string, string>;
}

const readJson = <T>(name: string): T => JSON.parse(readFileSync(join(packageRoot, name), 'utf8')) as T;
const manifest = readJson<{ version: string; dependencies: Record<string, string> }>('package.json');
const lock = readJson<{ version: string; packages: Record<string, LockEntry> }>('package-lock.json');

describe('package.json', () => {
  test('has the version that the sources and the lock file have', () => {
    expect([VERSION, lock.version, lock.packages['']?.version]).toEqual(Array(3).fill(manifest.version));
  });

  test('asks for three packages at run time and no more', () => {
    expect(Object.keys(manifest.dependencies).sort()).toEqual(['koffi', 'p-queue', 'tiny-typed-emitter']);
  });
});

describe('package-lock.json', () => {
  test('names no registry', () => {
    expect(Object.keys(lock.packages).filter((path) => lock.packages[path]?.resolved !== undefined)).toEqual([]);
  });

  // A registry that lacks another platform's package makes `npm install` leave it out, and `npm ci` refuse the lock file.
  test('has every platform of every package, so that npm ci takes it', () => {
    const missing = Object.entries(lock.packages).flatMap(([path, entry]) =>
      Object.keys(entry.optionalDependencies ?? {}).filter((name) => !isLocked(path, name)),
    );
    expect(missing).toEqual([]);
  });
});

/** True where node's look-up, from the package at `path` upwards, ends at a locked package of that name. */
function isLocked(path: string, name: string): boolean {
  if (lock.packages[`${path ? `${path}/` : ''}node_modules/${name}`] !== undefined) return true;
  const parent = path.lastIndexOf('/node_modules/');
  if (path === '') return false;
  return isLocked(parent === -1 ? '' : path.slice(0, parent), name);
}
