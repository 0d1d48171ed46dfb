// npm run build:native: builds prebuilds/linux-<arch>/ from the C sources here. Takes another tree's root as its argument.
import { buildNative } from './prebuild.mjs';

for (const { name, bytes } of buildNative(process.argv[2])) console.log(`${name}: ${bytes} bytes`);
