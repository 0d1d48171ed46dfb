// Measures one section, whose name and settings are the arguments, and sends what it found to the process that started it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SECTIONS } from '../sections.mjs';

const [name, settings = '{}'] = process.argv.slice(2);
const section = SECTIONS.find((candidate) => candidate.name === name);
if (!section) throw new Error(`There is no section ${name}`);

const scratch = mkdtempSync(join(tmpdir(), 'pinfold-bench-'));
try {
  const say = (/** @type {string} */ text) => void process.stderr.write(`  ${text}\n`);
  process.send?.(await section.measure({ ...JSON.parse(settings), scratch, say }));
} finally {
  rmSync(scratch, { recursive: true });
  process.disconnect();
}
