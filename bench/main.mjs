// Measures confined runs beside unconfined ones and beside other sandboxes, in interleaved rounds: machines are noisy, so
// ratios count.
//   npm run bench [-- --only SECTION]... [--rounds N] [--executable PYTHON] [--json FILE] [--docs DIRECTORY] [--smoke]
// A run of all sections writes docs/benchmarks.md and its pictures, a run of some only where `--docs` says.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readArguments } from './arguments.mjs';
import { measureApart } from './measure/apart.mjs';
import { describeMachine } from './report/machine.mjs';
import { writePage } from './report/page.mjs';
import { terminalText } from './report/terminal.mjs';

const { sections, json, docs, ...settings } = readArguments();
const machine = describeMachine(settings.executable);
const results = [];
for (const { name, title, about } of sections) {
  process.stderr.write(`${name}\n`);
  try {
    const findings = await measureApart(name, settings);
    results.push({ name, title, about, ...findings });
    console.log(terminalText({ title, findings }));
  } catch (error) {
    // The others take minutes, and need not be lost.
    console.error(error);
    process.exitCode = 1;
  }
}

const loadAfter = describeMachine(settings.executable).load;
const report = { machine: { ...machine, loadAfter }, rounds: settings.rounds, isSmoke: settings.isSmoke, results };
if (json) writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
if (docs && results.length === sections.length) {
  writePage(report, docs);
  console.log(`Written: ${join(docs, 'benchmarks.md')}`);
}
