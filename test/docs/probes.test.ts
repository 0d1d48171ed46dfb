import { describe, expect, test } from 'vitest';
import { probes } from '../probes/list.js';
import { isScripted } from '../probes/probe.js';
import { readPage, tableRows } from './markdown.js';

/** What a sandbox of this kind must survive: the least that the list has to hold. */
const IDS: Readonly<Record<string, string>> = {
  F: '1 2 3 5 6 7 8 9 10 11 13 14 15 16 18 19 21 22 23',
  P: '1 2 3 4 5 6 7 8 9 10 12 13 15 16 17 18',
  D: '1 2 3 5 7 10 11 12 13',
  S: '1 2 3 4 5 6 7 8 9 10 11 12 14 15 16 17 18 19',
  M: '1 2 3 6 7 8 9 10 11 12 13 14 15 16',
  N: '1 2 3 5 6 7',
  X: '1 2 4 5 7 9 11 12 13',
  H: '1 3 4 5 6 7 9 10 11 12 13 14 16 17 18 19 21 22 23',
};

describe('the probes', () => {
  test('are all there', () => {
    const ids = Object.entries(IDS).flatMap(([letter, numbers]) => numbers.split(' ').map((number) => letter + number));
    expect([...new Set(probes.map(({ id }) => id))].sort()).toEqual(ids.sort());
  });

  test('have names of their own', () => {
    const names = probes.map(({ id, title }) => `${id} ${title}`);
    expect(new Set(names).size).toBe(names.length);
  });

  test('name the system calls that seccomp refuses with EPERM', () => {
    const silent = probes.filter((probe) => {
      if (isScripted(probe) || probe.layer !== 'seccomp' || typeof probe.confined !== 'object') return false;
      return Object.values(probe.confined).includes('EPERM') && !probe.denied?.length;
    });
    expect(silent.map(({ id, title }) => `${id} ${title}`)).toEqual([]);
  });
});

describe('docs/security.md', () => {
  test('has every probe, what has to come of it, and what refuses it', () => {
    expect(tableRows(readPage('docs/security.md'), 'probe')).toEqual(
      probes.map(({ id, title, outcome, layer }) => [id, title, outcome, layer]),
    );
  });
});
