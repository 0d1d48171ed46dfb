import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Sandbox } from '../../src/sandbox.js';
import { skipMissing } from '../support/skip.js';
import { type Outcome, runBare, steady } from './support/bare.js';
import { findInterpreters } from './support/interpreters.js';
import { knownDifference, type Program, readPrograms } from './support/programs.js';

const interpreters = findInterpreters();
const programs = readPrograms();

test('there is an interpreter', (context) => {
  if (interpreters.length === 0) skipMissing(context, 'no CPython 3.8 or newer on this machine');
});

describe.each(interpreters)('with $title, a confined run is what `python3 main.py` is:', (interpreter) => {
  let sandbox: Sandbox;

  beforeAll(async () => {
    sandbox = new Sandbox({
      language: 'python',
      ...(interpreter.option === undefined ? {} : { executable: interpreter.option }),
      concurrency: 1,
      limits: { wallMs: 30_000 },
    });
    await sandbox.ready();
  });

  afterAll(() => sandbox.close());

  test.each(programs)('$name', async (program) => {
    const [bare, confined] = await Promise.all([runBare(interpreter, program), runConfined(sandbox, program)]);
    if (knownDifference(program.name, interpreter) === undefined) expect(confined).toEqual(bare);
    else expect({ ...confined, stderr: '' }).toEqual({ ...bare, stderr: '' });
  });
});

async function runConfined(sandbox: Sandbox, program: Program): Promise<Outcome> {
  const { code, args, env, stdin } = program;
  const { exitCode, signalName, stdout, stderr } = await sandbox.run(code, { args, env, stdin });
  return { exitCode, signalName, stdout: steady(stdout), stderr: steady(stderr) };
}
