// npm run fuzz [-- --seconds=N] [name...]: every fuzzer, or those whose file's name holds one of the names, N seconds each.
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  options: { seconds: { type: 'string', default: '60' } },
  allowPositionals: true,
});
const seconds = Number(values.seconds);
if (!Number.isInteger(seconds) || seconds < 1)
  throw new RangeError(`--seconds is a positive integer, not ${values.seconds}`);

const files = positionals.length > 0 ? positionals.map((name) => `test/fuzz/${name}`) : ['test/fuzz'];
const { status } = spawnSync('npx', ['vitest', 'run', ...files], {
  stdio: 'inherit',
  env: { ...process.env, PINFOLD_FUZZ_SECONDS: `${seconds}` },
});
process.exitCode = status ?? 1;
