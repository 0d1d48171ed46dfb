import { execFileSync, spawn } from 'node:child_process';
import { Sandbox } from 'pinfold';

const CODE = 'print(1)';

/** A bare, unconfined process, as one would start it without a sandbox; resolves when it has ended and all is read. */
function spawnBare(executable, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(executable, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.on('error', reject);
    child.on('close', () => resolve(stdout));
  });
}

/** A `python3` on PATH may be a shell script that looks for the real one: both sides are to start the same program. */
export function realInterpreter() {
  const script = 'import os, sys; print(os.path.realpath(sys.executable))';
  return execFileSync('python3', ['-I', '-c', script], { encoding: 'utf8' }).trim();
}

async function runConfined(sandbox) {
  const { stdout, reason } = await sandbox.run(CODE);
  return reason === 'exited' ? stdout : `${reason}: ${stdout}`;
}

/** What is measured: each row does one run and gives back what it printed. The first is what the others are compared with. */
export async function openRows() {
  const executable = realInterpreter();
  const options = { language: 'python', executable, concurrency: 1 };
  const warm = new Sandbox(options);
  await warm.ready();
  const rows = [
    { name: 'spawn, unconfined', run: () => spawnBare(executable, ['-c', CODE]) },
    { name: 'spawn -I -S, unconfined', run: () => spawnBare(executable, ['-I', '-S', '-c', CODE]) },
    { name: 'pinfold, warm', run: () => runConfined(warm) },
    {
      name: 'pinfold, first run of a new sandbox',
      run: async () => {
        const cold = new Sandbox(options);
        const stdout = await runConfined(cold);
        await cold.close();
        return stdout;
      },
    },
  ];
  return { rows, close: () => warm.close() };
}
