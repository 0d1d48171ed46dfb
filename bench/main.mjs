// Compares a confined run with an unconfined one, in one interleaved series: machines are noisy, so ratios count.
//   npm run bench [-- --rounds=N] [--json]
import { parseArgs } from 'node:util';
import { measureFilterCost, printFilterCost } from './filter-cost.mjs';
import { openRows } from './rows.mjs';
import { summarise } from './statistics.mjs';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '40' }, json: { type: 'boolean', default: false } },
});
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1)
  throw new RangeError(`--rounds is a positive integer, not ${values.rounds}`);

async function timeOnce(row) {
  const startedMs = performance.now();
  const stdout = await row.run();
  const tookMs = performance.now() - startedMs;
  if (stdout !== '1\n') throw new Error(`${row.name} printed ${JSON.stringify(stdout)}`);
  return tookMs;
}

async function measure(rows) {
  const samplesMs = new Map(rows.map((row) => [row.name, []]));
  for (const row of rows) await timeOnce(row);
  for (let round = 0; round < rounds; round += 1) {
    for (const row of rows) samplesMs.get(row.name).push(await timeOnce(row));
  }
  return rows.map((row) => ({ name: row.name, ...summarise(samplesMs.get(row.name)) }));
}

function print(results) {
  const base = results[0];
  console.log(`${'row'.padEnd(38)}${'p50 ms'.padStart(9)}${'p95 ms'.padStart(9)}${'ratio'.padStart(8)}`);
  for (const { name, p50, p95 } of results) {
    const numbers = p50.toFixed(2).padStart(9) + p95.toFixed(2).padStart(9) + (p50 / base.p50).toFixed(2).padStart(8);
    console.log(name.padEnd(38) + numbers);
  }
}

const { rows, close } = await openRows();
const results = await measure(rows);
await close();
const filterCost = await measureFilterCost(Math.min(rounds, 15));
if (values.json) console.log(JSON.stringify({ node: process.version, rounds, results, filterCost }, null, 2));
else {
  print(results);
  printFilterCost(filterCost);
}
