import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Backstop } from '../../src/backstop.js';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

test('a run that ends in time is forgotten, and the timer with it', () => {
  const overdue = vi.fn();
  const backstop = new Backstop(overdue);
  backstop.expect(1, 5_000);
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(4_000);
  backstop.forget(1);
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(60_000);
  expect(overdue).not.toHaveBeenCalled();
});

test('a run that never ends is told, once it has been overdue twice', () => {
  const overdue = vi.fn();
  const backstop = new Backstop(overdue);
  backstop.expect(1, 5_000);
  backstop.expect(2, 100_000);
  vi.advanceTimersByTime(5_000);
  expect(overdue).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1_000);
  expect(overdue).toHaveBeenCalledTimes(1);
});

test('a later word replaces an earlier one', () => {
  const overdue = vi.fn();
  const backstop = new Backstop(overdue);
  backstop.expect(1, 1_000);
  backstop.expect(1, 60_000);
  vi.advanceTimersByTime(30_000);
  expect(overdue).not.toHaveBeenCalled();
  vi.advanceTimersByTime(31_000);
  expect(overdue).toHaveBeenCalledOnce();
});
