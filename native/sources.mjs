// Prints the C sources of the named directories, for binding.gyp: sorted, so that every build links them in one order.
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

for (const directory of process.argv.slice(2)) {
  const sources = readdirSync(fileURLToPath(new URL(directory, import.meta.url))).filter((name) => name.endsWith('.c'));
  for (const source of sources.sort()) console.log(`${directory}/${source}`);
}
