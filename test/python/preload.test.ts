import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Sandbox } from '../../src/sandbox.js';
import { runCommand } from '../support/command.js';
import { temporaryDirectory } from '../support/tree.js';

// What matplotlib does, for its caches and its temporary files.
const WRITING_MODULE = `
import os, pathlib, tempfile, threading
cache = pathlib.Path.home() / '.cache' / 'writing'
cache.mkdir(parents=True)
(cache / 'list').write_text('cached')
kept = tempfile.NamedTemporaryFile(dir='/dev/shm')
kept.write(b'kept'), kept.flush()
seen = [(cache / 'list').read_text(), tempfile.mkdtemp()[:5]]
timer = threading.Timer(60, print)
timer.start()
timer.cancel()
`;

const CODE = `
import os, writing
print(writing.seen, os.listdir('/work'), os.listdir('/tmp'), os.listdir('/dev/shm'))
with open('/proc/self/mountinfo') as mounts:
    places = [line.split()[4] for line in mounts]
print([places.count(path) for path in ('/work', '/tmp', '/dev/shm')])
`;

test('a module may write while it is preloaded, and a run finds nothing of it', async () => {
  const directory = temporaryDirectory();
  runCommand('python3', ['-m', 'venv', '--without-pip', directory]);
  const executable = join(directory, 'bin', 'python3');
  const site = runCommand(executable, ['-c', 'import sysconfig; print(sysconfig.get_path("purelib"))']).trim();
  mkdirSync(site, { recursive: true });
  writeFileSync(join(site, 'writing.py'), WRITING_MODULE);
  const sandbox = new Sandbox({ language: 'python', executable, preload: ['writing'], concurrency: 1 });
  try {
    const { stdout, stderr } = await sandbox.run(CODE);
    // A run's own /tmp lies on the file system that holds all three.
    expect({ stdout, stderr }).toEqual({ stdout: "['cached', '/tmp/'] ['main.py'] [] []\n[1, 2, 1]\n", stderr: '' });
  } finally {
    await sandbox.close();
  }
});
