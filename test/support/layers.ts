import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** The layers of src, lowest first. A file imports only from its own layer or a lower one. `name/` is a whole directory. */
const layers: readonly (readonly string[])[] = [
  [
    'abort.ts',
    'backstop.ts',
    'bytes.ts',
    'check.ts',
    'deferred.ts',
    'errno.ts',
    'errors.ts',
    'paths.ts',
    'signals.ts',
    'version.ts',
  ],
  ['isolation.ts', 'native.ts', 'policy/', 'protocol.ts'],
  ['languages/', 'limits.ts', 'options.ts'],
  ['ask.ts', 'channel.ts', 'supervisor.ts'],
  ['denials.ts', 'events.ts', 'output.ts', 'queue.ts', 'result.ts', 'run.ts', 'stdin.ts'],
  ['sandbox.ts'],
  ['index.ts'],
];

/** The only files that may import a package. Node's own modules are open to all, but child_process to none. */
const packages: Readonly<Record<string, readonly string[]>> = {
  koffi: ['native.ts'],
  'p-queue': ['queue.ts'],
  'tiny-typed-emitter': ['sandbox.ts'],
};

const refusedModules = new Set(['node:child_process', 'node:cluster']);

/** Source text by path below src, with `/` between names. */
export type Sources = ReadonlyMap<string, string>;

export function readSources(): Sources {
  const src = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'src');
  const names = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  return new Map(names.sort().map((name) => [name, readFileSync(join(src, name), 'utf8')]));
}

/** Every breach of the layers, one sentence each; none: empty. */
export function findBreaches(sources: Sources): string[] {
  const breaches: string[] = [];
  const edges = new Map<string, string[]>();
  for (const [file, text] of sources) {
    if (layerOf(file) === undefined) {
      breaches.push(`src/${file} is in no layer: give it one in test/support/layers.ts`);
      continue;
    }
    const targets: string[] = [];
    for (const { fileName } of ts.preProcessFile(text, true, true).importedFiles) {
      const breach = fileName.startsWith('.')
        ? checkFileImport(file, fileName, sources, targets)
        : checkPackageImport(file, fileName);
      if (breach !== undefined) breaches.push(breach);
    }
    edges.set(file, targets);
  }
  return [...breaches, ...findCycles(edges)];
}

function layerOf(file: string): number | undefined {
  const found = layers.findIndex((names) =>
    names.some((name) => (name.endsWith('/') ? file.startsWith(name) : file === name)),
  );
  return found === -1 ? undefined : found;
}

function checkFileImport(file: string, specifier: string, sources: Sources, targets: string[]): string | undefined {
  const target = posix.join(posix.dirname(file), specifier).replace(/\.js$/, '.ts');
  if (!sources.has(target)) return `src/${file} imports ${specifier}, which is no file of src`;
  targets.push(target);
  const [from, to] = [layerOf(file), layerOf(target)];
  // A target without a layer is reported by itself.
  if (from === undefined || to === undefined || to <= from) return undefined;
  return `src/${file} (layer ${from}) imports src/${target} (layer ${to}): imports go down only`;
}

function checkPackageImport(file: string, specifier: string): string | undefined {
  if (specifier.startsWith('node:')) {
    return refusedModules.has(specifier)
      ? `src/${file} imports ${specifier}: the supervisor starts processes`
      : undefined;
  }
  const allowed = packages[specifier];
  if (allowed === undefined) return `src/${file} imports ${specifier}, which is not a run-time dependency`;
  return allowed.includes(file) ? undefined : `src/${file} imports ${specifier}: only ${allowed.join(', ')} may`;
}

function findCycles(edges: ReadonlyMap<string, readonly string[]>): string[] {
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) {
      cycles.push(
        `import cycle: ${[...path.slice(path.indexOf(file)), file].map((name) => `src/${name}`).join(' → ')}`,
      );
      return;
    }
    if (done.has(file)) return;
    for (const target of edges.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of edges.keys()) visit(file, []);
  return cycles;
}
