import { runBare } from './bare.mjs';

const PACKAGE = '@anthropic-ai/sandbox-runtime';

/**
 * @param {string} executable
 * @returns {Promise<Omit<import('./peers.mjs').Peer, 'name' | 'confines'>>}
 */
export async function openSandboxRuntime(executable) {
  // By a variable: it is no dependency, and used only where somebody has installed it.
  const { SandboxManager } = await import(PACKAGE);
  const { default: manifest } = await import(new URL('../package.json', import.meta.resolve(PACKAGE)).href, {
    with: { type: 'json' },
  });
  await SandboxManager.initialize({
    network: { allowedDomains: [], deniedDomains: [] },
    filesystem: { denyRead: [], allowWrite: [], denyWrite: [] },
  });
  return {
    version: manifest.version,
    run: async (code) => runBare([await SandboxManager.wrapWithSandbox(`${executable} -c '${code}'`)], { shell: true }),
    close: () => SandboxManager.reset(),
  };
}
