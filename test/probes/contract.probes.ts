import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, type TestContext, test } from 'vitest';
import { type RunResult, Sandbox, type SandboxOptions } from '../../src/index.js';
import { compileFilter } from '../../src/policy/filter.js';
import { buildPolicy } from '../../src/policy/policy.js';
import type { Arch } from '../../src/policy/syscalls.js';
import { withoutListener } from '../policy/oracle.js';
import { skipForeign } from '../support/skip.js';
import { type LanguageName, languageNames, languages } from './languages/index.js';
import { currentLevel } from './levels.mjs';
import { probes } from './list.js';
import {
  type Findings,
  type InScene,
  isScripted,
  NotHere,
  type Probe,
  type Program,
  type Scripted,
  type Stage,
} from './probe.js';
import { parseFindings, runBare } from './support/bare.js';
import { describeResult, type Row, summarise } from './support/row.js';
import { type Scene, setScene } from './support/scene.js';
import { withWitness } from './support/witness.js';

const { EPERM } = constants.errno;
/** Added to the errno of a refusal by the filter alone: the kernel itself never answers with such numbers. */
const MARK = 150;
const PROBE_LIMITS = { wallMs: 20_000, cpuMs: 20_000 };
const level = currentLevel();
const wanted = process.env.PINFOLD_PROBES?.split(',');
const chosen = probes.filter(({ id }) => wanted?.includes(id) ?? true);

let scene: Scene;
let sandbox: Sandbox;
let directory: string;
let filter: string;

beforeAll(async () => {
  scene = await setScene(await Sandbox.check(level.sandbox));
  directory = mkdtempSync(join(tmpdir(), 'pinfold-probes-'));
  filter = join(directory, 'filter');
  const policy = buildPolicy({ network: false, allow: [], deny: [] });
  writeFileSync(filter, withoutListener(compileFilter(policy, process.arch as Arch), MARK, [EPERM]));
});

afterAll(() => {
  scene.end();
  rmSync(directory, { recursive: true, force: true });
});

describe.for(languageNames)('%s', (language) => {
  beforeAll(async () => {
    sandbox = open({ language });
    await sandbox.run('');
  });
  afterAll(() => sandbox.close());

  describe.for(chosen.map((probe) => [`${probe.id} ${probe.title}`, probe] as const))('%s', ([, probe]) => {
    if (isScripted(probe)) {
      // What needs no program of its own is the host's side: the same for each language.
      const { shows } = probe;
      if (shows && level.shows)
        test('is shown to matter', (context) => note(context, probe, 'control', () => showScripted(context, shows)));
      test('holds', (context) => note(context, probe, 'confined', () => runScripted(context, probe)));
      return;
    }
    if (level.shows)
      test('succeeds unconfined', (context) =>
        note(context, probe, 'control', () => showProgram(context, probe, language)));
    test('is confined', (context) => note(context, probe, 'confined', () => runProgram(probe, language)));
    if (probe.layer === 'seccomp' && level.shows) {
      test('is refused by the filter alone', () => runUnderFilter(probe, language));
    }
  });
});

function open(options: SandboxOptions): Sandbox {
  return new Sandbox({ warm: 0, concurrency: 4, ...level.sandbox, ...options });
}

/** Hands the reporter a row of its table. */
async function note(context: TestContext, probe: Probe, part: Row['part'], run: () => Promise<Partial<Row>>) {
  const { id, title, outcome, layer } = probe;
  const row: Row = { level: level.name, id, title, outcome, layer, part };
  Object.assign(context.task.meta, { probe: row });
  Object.assign(context.task.meta, { probe: { ...row, ...(await run()) } });
}

async function showProgram(context: TestContext, probe: Program, language: LanguageName): Promise<Partial<Row>> {
  const expected = inScene(probe.control);
  if (expected instanceof NotHere) return skipForeign(context, expected.why);
  const ended = await runBare(scene, language, probe.program[language], {
    args: (probe.controlArgs ?? probe.args)?.(scene) ?? [],
    ...(probe.controlMs === undefined ? {} : { ms: probe.controlMs }),
    atEnd: () => probe.controlCheck?.(scene),
  });
  expect(ended.how, ended.stderr).toBe(probe.controlEnds ?? 'exit 0');
  if (expected !== undefined) expect(ended.findings, ended.stderr).toEqual(expected);
  return { got: summarise(ended.findings) || ended.how };
}

async function runProgram(probe: Program, language: LanguageName): Promise<Partial<Row>> {
  const { confined, ends, denied, check, layer } = { ...probe, ...probe.weaker?.[level.name] };
  const own = probe.sandbox && open({ language, ...inScene(probe.sandbox) });
  try {
    const options = { ...PROBE_LIMITS, args: probe.args?.(scene) ?? [], ...probe.options };
    const code = languages[language].complete(probe.program[language]);
    const result = await withWitness(scene, sandbox, async () => {
      const ended = await (own ?? sandbox).run(code, options);
      await own?.close();
      return ended;
    });
    const { reason, exitCode = reason === 'exited' ? 0 : null, signalName } = ends ?? { reason: 'exited' };
    expect(result, result.stderr).toMatchObject({ reason, exitCode, ...(signalName && { signalName }) });
    const expected = inScene(confined);
    const findings = parseFindings(result.stdout);
    if (expected !== undefined) expect(findings, result.stderr).toEqual(expected);
    expectDenials(result, denied ?? []);
    await check?.(result, scene);
    return { layer, expects: expected ? summarise(expected) : reason, got: describeResult(result, findings) };
  } finally {
    await own?.close();
  }
}

function expectDenials({ denials }: RunResult, denied: readonly string[]): void {
  const told = denials.filter(({ count }) => count > 0).map(({ syscall }) => syscall);
  expect(told).toEqual(expect.arrayContaining([...denied]));
}

/** No other layer is there, and the kernel itself never answers with a marked errno: so it is the filter that refuses. */
async function runUnderFilter(probe: Program, language: LanguageName): Promise<void> {
  const ended = await runBare(scene, language, probe.program[language], { args: probe.args?.(scene) ?? [], filter });
  const refusals = refusalsOf(inScene(probe.confined) ?? {});
  expect(refusals, 'what seccomp refuses').not.toEqual({});
  expect(ended.findings, ended.stderr).toMatchObject(refusals);
}

function refusalsOf(findings: Findings): Findings {
  const marked = Object.entries(findings).map(([name, value]) => [
    name,
    value === 'EPERM' ? `errno ${EPERM + MARK}` : value,
  ]);
  return Object.fromEntries(marked.filter(([, value]) => /^(errno \d+|ENOSYS|SIGSYS)$/.test(`${value}`)));
}

async function showScripted(context: TestContext, shows: NonNullable<Scripted['shows']>): Promise<Partial<Row>> {
  const { stage: own, close } = stage();
  const shown = await shows(own).finally(close);
  if (shown instanceof NotHere) return skipForeign(context, shown.why);
  return { got: 'shown' };
}

async function runScripted(context: TestContext, probe: Scripted): Promise<Partial<Row>> {
  const { stage: own, close } = stage();
  try {
    const got = await withWitness(scene, sandbox, async () => {
      const told = await probe.run(own);
      await close();
      return told;
    });
    if (got instanceof NotHere) return skipForeign(context, got.why);
    return { expects: probe.expects, got };
  } finally {
    await close();
  }
}

function stage(): { stage: Stage; close: () => Promise<unknown> } {
  const opened: Sandbox[] = [];
  const remember = (options: SandboxOptions = {}) => {
    const one = open({ language: 'python', ...options });
    opened.push(one);
    return one;
  };
  return {
    stage: { scene, sandbox, open: remember, limits: PROBE_LIMITS },
    close: () => Promise.all(opened.map((one) => one.close())),
  };
}

function inScene<Value>(value: InScene<Value>): Value {
  return typeof value === 'function' ? (value as (scene: Scene) => Value)(scene) : value;
}
