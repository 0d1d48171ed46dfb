import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../../', import.meta.url);

/** @param {string} path below the root of this repository */
export const repositoryFile = (path) => readFileSync(new URL(path, root), 'utf8');

/** What the programs see of this repository: at /data, read-only. */
export const mounts = ['docs', 'native', 'README.md'].map((name) => ({
  source: fileURLToPath(new URL(name, root)),
  target: `/data/${name}`,
}));
