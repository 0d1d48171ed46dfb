import { expect, test } from 'vitest';
import { deferred } from '../../src/deferred.js';
import { RunQueue } from '../../src/queue.js';

/** Works that end when told to, and in which order they began. */
function makeWorks(count: number) {
  const began: number[] = [];
  const works = Array.from({ length: count }, (_, index) => {
    const end = deferred<void>();
    const work = async () => {
      began.push(index);
      await end.promise;
    };
    return { work, end: () => end.resolve() };
  });
  return { began, works };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const state = (queue: RunQueue) => [queue.running, queue.pending];

test('a slot is free only when its work has ended', async () => {
  const queue = new RunQueue({ concurrency: 2, maxQueue: Number.POSITIVE_INFINITY });
  const { began, works } = makeWorks(4);
  for (const { work } of works) queue.add(work, 0);
  expect(began).toEqual([0, 1]);
  expect(state(queue)).toEqual([2, 2]);
  await turn();
  expect(began).toEqual([0, 1]);
  works[1]?.end();
  await turn();
  expect(began).toEqual([0, 1, 2]);
  expect(state(queue)).toEqual([2, 1]);
  for (const { end } of works) end();
  await turn();
  expect(began).toEqual([0, 1, 2, 3]);
  expect(state(queue)).toEqual([0, 0]);
});

test('the highest priority first, in order among equals', async () => {
  const queue = new RunQueue({ concurrency: 1, maxQueue: Number.POSITIVE_INFINITY });
  const { began, works } = makeWorks(6);
  const priorities = [0, -1.5, 0, 7, 7, 0];
  for (const [index, { work, end }] of works.entries()) {
    queue.add(work, priorities[index] ?? 0);
    if (index > 0) end();
  }
  works[0]?.end();
  await turn();
  await turn();
  expect(began).toEqual([0, 3, 4, 2, 5, 1]);
});

test('maxQueue bounds what waits, and 0 lets nothing wait', async () => {
  const queue = new RunQueue({ concurrency: 1, maxQueue: 1 });
  const { works } = makeWorks(3);
  queue.assertRoom();
  queue.add(works[0]?.work ?? expect.fail(), 0);
  queue.assertRoom();
  queue.add(works[1]?.work ?? expect.fail(), 0);
  expect(() => queue.assertRoom()).toThrow(expect.objectContaining({ code: 'queue-full' }));
  works[0]?.end();
  await turn();
  expect(() => queue.assertRoom()).not.toThrow();

  const impatient = new RunQueue({ concurrency: 1, maxQueue: 0 });
  impatient.assertRoom();
  impatient.add(works[2]?.work ?? expect.fail(), 0);
  expect(() => impatient.assertRoom()).toThrow('1 runs are under way and 0 wait, as many as maxQueue (0) allows');
});

test('a cancelled place is free for another, and its work never begins', async () => {
  const queue = new RunQueue({ concurrency: 1, maxQueue: 1 });
  const { began, works } = makeWorks(3);
  const [first, second, third] = works as [(typeof works)[0], (typeof works)[0], (typeof works)[0]];
  const running = queue.add(first.work, 0);
  const waiting = queue.add(second.work, 0);
  queue.cancel(waiting);
  queue.cancel(waiting);
  queue.cancel(running);
  expect(state(queue)).toEqual([1, 0]);
  queue.assertRoom();
  queue.add(third.work, 0);
  expect(state(queue)).toEqual([1, 1]);
  first.end();
  await turn();
  await turn();
  expect(began).toEqual([0, 2]);
  third.end();
  await turn();
  expect(state(queue)).toEqual([0, 0]);
});

test('ten thousand cancelled places are passed over at once', async () => {
  const queue = new RunQueue({ concurrency: 1, maxQueue: Number.POSITIVE_INFINITY });
  const { began, works } = makeWorks(2);
  queue.add(works[0]?.work ?? expect.fail(), 0);
  const tickets = Array.from({ length: 10_000 }, () => queue.add(() => expect.fail(), 0));
  queue.add(works[1]?.work ?? expect.fail(), 0);
  for (const ticket of tickets) queue.cancel(ticket);
  expect(queue.pending).toBe(1);
  works[0]?.end();
  await turn();
  await turn();
  expect(began).toEqual([0, 1]);
});
