import { expect, test } from 'vitest';
import { interleave } from '../../bench/measure/interleave.mjs';
import { compare, median, quantile } from '../../bench/measure/statistics.mjs';

const oneToHundred = Array.from({ length: 100 }, (_, index) => 100 - index);

test('a quantile is the sample at the nearest rank, whatever their order', () => {
  expect([0.5, 0.95, 1].map((share) => quantile(oneToHundred, share))).toEqual([50, 95, 100]);
  expect(median([3])).toBe(3);
  expect(() => median([])).toThrow(RangeError);
});

test('rows are compared with the median of the first', () => {
  const [base, other] = compare(
    new Map([
      ['base', [4, 2, 9]],
      ['other', [1, 2, 3]],
    ]),
  );
  expect(base).toEqual({ name: 'base', count: 3, p50: 4, p95: 9, ratio: 1, p95Ratio: 2.25 });
  expect(other).toMatchObject({ ratio: 0.5, p95Ratio: 0.75 });
});

test('rows are measured round by round, each once, in an order that moves on; warming up does not count', async () => {
  const order: string[] = [];
  const rows = ['a', 'b', 'c'].map((name) => ({
    name,
    sample: async () => order.push(name),
  }));
  const summaries = await interleave(rows, { rounds: 2, warmUps: 1 });
  expect(order.join('')).toBe('abcbcacab');
  expect(summaries.map(({ name, count }) => [name, count])).toEqual([
    ['a', 2],
    ['b', 2],
    ['c', 2],
  ]);
});
