import { defineConfig } from 'tsup';

export default defineConfig({
  entry: { index: 'src/index.ts' },
  format: ['esm'],
  target: 'node20',
  platform: 'node',
  dts: true,
  clean: true,
  sourcemap: false,
  splitting: false,
  removeNodeProtocol: false,
  // A bundle with top-level await can't be loaded with require(), so esbuild refuses one here.
  esbuildOptions(options) {
    options.supported = { ...options.supported, 'top-level-await': false };
  },
});
