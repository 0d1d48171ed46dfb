// node examples/quickstart/quickstart.mjs (after `npm ci && npm run build`), or paste it into a project that has pinfold.
import { Sandbox } from 'pinfold';

// One sandbox, many runs: it starts one supervisor and one warmed interpreter. What is preloaded costs the runs nothing.
const sandbox = new Sandbox({
  language: 'python',
  preload: ['json', 'statistics'],
  limits: { wallMs: 2_000, memoryBytes: '128MiB' },
});

// 1. Code and input in, output and measurements out.
const words = await sandbox.run('import sys\nprint(len(sys.stdin.read().split()), sys.argv[1])', {
  stdin: 'one two three',
  args: ['words'],
});
console.log(words.stdout.trim(), '| exit code', words.exitCode);

// 2. What the code does wrong is data, never an exception.
const crash = await sandbox.run('def answer():\n    return 1 / 0\nanswer()');
console.log(crash.reason, crash.exitCode, '|', crash.stderr.trim().split('\n').at(-1));

// 3. Past a limit it ends, and what it printed until then is kept.
const loop = await sandbox.run('print("on my way", flush=True)\nwhile True: pass', { wallMs: 200, cpuMs: 2_000 });
console.log(loop.reason, '|', loop.stdout.trim());

// 4. Output as it comes.
const ticks = sandbox.run('import time\nfor n in range(3):\n    print(n, flush=True)\n    time.sleep(0.05)');
for await (const chunk of ticks.stdout) console.log('tick', new TextDecoder().decode(chunk).trim());
await ticks;

// 5. Abort.
const controller = new AbortController();
setTimeout(() => controller.abort(), 100);
const aborted = await sandbox.run('import time; time.sleep(60)', { signal: controller.signal });
console.log(aborted.reason);

await sandbox.close();
