import { join } from 'node:path';
import ts from 'typescript';
import { packageRoot } from '../support/tree.js';

/**
 * Type-checks a module against the built package, as strictly as this package checks itself. Gives what the compiler says, one
 * line each; nothing: empty.
 */
export function typeFaults(code: string): string[] {
  const file = join(packageRoot, 'example.mts');
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile } = host;
  host.fileExists = (path) => path === file || fileExists(path);
  host.readFile = (path) => (path === file ? code : readFile(path));
  return faultsOf(ts.createProgram([file], options, host));
}

/** The same for files, JavaScript included, and all that they import. */
export function typeFaultsIn(files: readonly string[]): string[] {
  return faultsOf(ts.createProgram(files, options));
}

const options: ts.CompilerOptions = { ...readOptions(), noEmit: true, noUnusedLocals: false };

function readOptions(): ts.CompilerOptions {
  const path = join(packageRoot, 'tsconfig.json');
  const { config } = ts.readConfigFile(path, ts.sys.readFile);
  return ts.parseJsonConfigFileContent(config, ts.sys, packageRoot).options;
}

function faultsOf(program: ts.Program): string[] {
  return ts.getPreEmitDiagnostics(program).map(({ messageText, start, file }) => {
    const line = file && start !== undefined ? `line ${file.getLineAndCharacterOfPosition(start).line + 1}: ` : '';
    return line + ts.flattenDiagnosticMessageText(messageText, ' ');
  });
}
