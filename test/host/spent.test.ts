import { expect, test, vi } from 'vitest';
import { Sandbox } from '../../src/sandbox.js';
import { FakeNative, obliging } from './support/fake-supervisor.js';
import * as wire from './support/wire.js';

const fake = vi.hoisted(() => ({ native: undefined as unknown }));

vi.mock('../../src/native.js', () => ({ loadNative: async () => fake.native }));
vi.mock('../../src/languages/python.js', async () => {
  const { FakeLanguage } = await import('./support/fake-language.js');
  return { python: new FakeLanguage() };
});
// Four billion runs are more than a test can wait for. The question takes number 1, so two runs are left.
vi.mock('../../src/protocol.js', async (load) => ({ ...(await load<object>()), MAX_RUN_NUMBER: 3 }));

test('a supervisor whose numbers are used up ends its runs, and another one takes over', async () => {
  const native = new FakeNative();
  fake.native = native;
  native.behaviour = obliging;
  const sandbox = new Sandbox({ language: 'python', concurrency: 3 });
  const runs = [sandbox.run('1'), sandbox.run('2')];
  const first = await native.supervisor();
  const numbers = [await first.nextRun(), await first.nextRun()];
  expect(numbers).toEqual([2, 3]);

  const third = sandbox.run('3');
  const second = await native.supervisor(1);
  second.finish(await second.nextRun(), 'third');
  expect((await third).stdout).toBe('third');
  expect(first.of(wire.kinds.ABORT)).toHaveLength(0);

  for (const number of numbers) first.finish(number, `${number}`);
  expect((await Promise.all(runs)).map(({ stdout }) => stdout)).toEqual(['2', '3']);
  await first.ended;
  await vi.waitFor(() => expect(native.reaped).toEqual([2 ** 30 + 1]));
  await sandbox.close();
  expect(native.reaped).toEqual([2 ** 30 + 1, 2 ** 30 + 2]);
});
