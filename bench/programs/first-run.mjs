// Prints how many milliseconds a fresh process takes from its first line to its first result.
const startedMs = performance.now();
const { Sandbox } = await import('pinfold');
const sandbox = new Sandbox({ language: 'python', executable: process.argv[2], concurrency: 1 });
const { stdout } = await sandbox.run('print(1)');
const tookMs = performance.now() - startedMs;
await sandbox.close();
if (stdout !== '1\n') throw new Error(`It printed ${JSON.stringify(stdout)}`);
console.log(tookMs);
