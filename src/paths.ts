import { fileURLToPath } from 'node:url';

/** A file of this package. src/ and dist/ both lie right below its root, so this holds from source and when bundled. */
export function packagePath(relativePath: string): string {
  return fileURLToPath(new URL(`../${relativePath}`, import.meta.url));
}

/** The native library and the supervisor's executable for this machine. */
export function prebuiltPaths(): { library: string; supervisor: string } {
  const directory = `prebuilds/${process.platform}-${process.arch}`;
  return {
    library: packagePath(`${directory}/pinfold.node`),
    supervisor: packagePath(`${directory}/pinfold-supervisor`),
  };
}
