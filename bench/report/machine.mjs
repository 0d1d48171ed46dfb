import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { interpreterVersion, moduleVersion } from '../measure/bare.mjs';

/**
 * What a reader has to know of where it was measured.
 * @param {string} executable
 */
export function describeMachine(executable) {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return {
    date: new Date().toISOString().slice(0, 10),
    pinfold: version,
    commit: commit(),
    processor: `${cpus()[0]?.model.trim()}, ${process.arch}`,
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    // Without what its builder added to the version.
    kernel: release().split('-')[0],
    user: process.getuid?.() === 0 ? 'root' : 'an ordinary user',
    node: process.version,
    python: interpreterVersion(executable),
    numpy: moduleVersion(executable, 'numpy'),
    pandas: moduleVersion(executable, 'pandas'),
    load: loadavg()[0] ?? 0,
  };
}

/** Null where this is no checkout. */
function commit() {
  try {
    const text = execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return text.trim();
  } catch {
    return null;
  }
}
