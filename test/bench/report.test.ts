import { expect, test } from 'vitest';
import { atLeast, atMost, judge } from '../../bench/report/findings.mjs';
import { pageText } from '../../bench/report/page.mjs';
import { drawPicture } from '../../bench/report/picture.mjs';

test('a target is reached up to its limit, and what could not be measured is neither', () => {
  expect([0.9, 1, 1.1, null].map((measured) => judge(atMost('x', 1, measured)))).toEqual([
    'reached',
    'reached',
    'missed',
    'not measured',
  ]);
  expect([0.9, 1, 1.1].map((measured) => judge(atLeast('x', 1, measured)))).toEqual(['missed', 'reached', 'reached']);
});

test('a bar is as long as its value, and its name is text', () => {
  const drawn = drawPicture({
    type: 'bars',
    file: 'x',
    title: 'T',
    unit: 'ms',
    bars: [
      { name: 'a<b', value: 2, isOurs: false },
      { name: 'c', value: 1, isOurs: true },
    ],
  });
  const widths = [...drawn.matchAll(/<rect class="(?:other0|ours)"[^>]* width="([\d.]+)"/g)].map(([, width]) =>
    Number(width),
  );
  expect(widths).toHaveLength(2);
  expect(widths[0]).toBe((widths[1] ?? 0) * 2);
  expect(drawn).toContain('>a&lt;b</text>');
});

test('a line goes through all of its values, higher ones further up', () => {
  const drawn = drawPicture({
    type: 'lines',
    file: 'x',
    title: 'T',
    unit: '1/s',
    across: 'n',
    ticks: ['1', '2', '4'],
    lines: [{ name: 'a', values: [1, 3, 2], isOurs: true }],
  });
  const [, points = ''] = /points="([^"]+)"/.exec(drawn) ?? [];
  const heights = points.split(' ').map((point) => Number(point.split(',')[1]));
  expect(heights).toHaveLength(3);
  expect(heights[1]).toBeLessThan(heights[2] ?? 0);
  expect(heights[2]).toBeLessThan(heights[0] ?? 0);
});

test('the page has the targets with what came of them, the tables, and what was left out', () => {
  const page = pageText({
    machine: {
      date: '2026-01-02',
      pinfold: '0.1.0',
      commit: null,
      processor: 'P, x64',
      cores: 2,
      memoryGiB: 4,
      kernel: '6.1',
      user: 'root',
      node: 'v24',
      python: 'CPython 3.11.2',
      numpy: null,
      pandas: null,
      load: 0.5,
      loadAfter: 1,
    },
    rounds: 3,
    isSmoke: false,
    results: [
      {
        name: 'n',
        title: 'Section',
        about: 'About it.',
        tables: [
          {
            title: 'Table',
            columns: [{ heading: 'row' }, { heading: 'ms' }],
            rows: [
              ['a', 1.234],
              ['b', null],
            ],
          },
        ],
        targets: [atMost('quick', 2, 3, 'ms')],
        notes: ['Left out: x.'],
      },
    ],
  });
  expect(page).toContain('| quick | ≤ 2 ms | 3 ms | missed |');
  expect(page).toContain('| row | ms |\n| --- | ---: |\n| a | 1.23 |\n| b | – |');
  for (const text of ['2026-01-02', 'npm run bench', '## Section', 'About it.', 'Left out: x.'])
    expect(page).toContain(text);
});
