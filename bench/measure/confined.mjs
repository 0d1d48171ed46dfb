import { Sandbox } from 'pinfold';

/**
 * A sandbox for Python that is ready.
 * @param {string} executable
 * @param {import('pinfold').SandboxOptions} [options]
 */
export async function openSandbox(executable, options) {
  const sandbox = new Sandbox({ language: 'python', executable, ...options });
  await sandbox.ready();
  return sandbox;
}

/**
 * What it printed, where it ended as it should.
 * @param {Sandbox} sandbox
 * @param {string | Uint8Array} code
 * @param {import('pinfold').RunOptions & { encoding?: 'utf8' }} [options]
 */
export async function runConfined(sandbox, code, options) {
  const { ok, reason, exitCode, stdout, stderr } = await sandbox.run(code, options);
  if (!ok) throw new Error(`The run ended with ${reason}, exit code ${exitCode}: ${stderr.slice(-300)}`);
  return stdout;
}
