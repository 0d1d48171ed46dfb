// npm run probes: the probes at every level of isolation that this machine can offer, each level in a process of its own.
// Arguments choose among them: `npm run probes -- F1 P2`.
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { levels } from './levels.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const mustWork = process.env.PINFOLD_MUST_WORK === '1';
const chosen = process.argv.slice(2);
let failed = false;

for (const level of levels) {
  const who = `uid ${process.getuid?.()}`;
  const missing = level.missing();
  if (missing !== undefined) {
    console.log(`\n== level ${level.name}, ${who}: skipped: ${missing}`);
    failed ||= mustWork;
    continue;
  }
  console.log(`\n== level ${level.name}, ${who}: ${level.title}`);
  const [command, ...args] = level.start([process.execPath, 'node_modules/vitest/vitest.mjs', 'run']);
  const env = {
    ...process.env,
    PINFOLD_PROBE_LEVEL: level.name,
    ...(chosen.length > 0 && { PINFOLD_PROBES: chosen.join() }),
  };
  const { status, error } = spawnSync(command ?? '', args, { cwd: root, env, stdio: 'inherit' });
  if (error) console.log(error.message);
  failed ||= status !== 0;
}

process.exitCode = failed ? 1 : 0;
