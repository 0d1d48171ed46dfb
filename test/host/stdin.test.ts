import { PassThrough, Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { describe, expect, test } from 'vitest';
import type { StdinSource } from '../../src/options.js';
import { Stdin } from '../../src/stdin.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

function open(source: StdinSource) {
  const sent: Uint8Array[] = [];
  const faults: Error[] = [];
  const log = { sent, faults, ended: 0 };
  const stdin = new Stdin(source, (error) => faults.push(error));
  const feed = () =>
    void stdin.feed({
      stdin: (chunk) => {
        expect(chunk.byteLength).toBeGreaterThan(0);
        expect(chunk.byteLength).toBeLessThanOrEqual(65_536);
        sent.push(chunk);
      },
      endStdin: () => {
        log.ended++;
      },
    });
  return { stdin, feed, log, text: () => Buffer.concat(sent).toString() };
}

const webStream = (chunks: unknown[], log: string[] = []) =>
  new ReadableStream(
    {
      pull(controller) {
        log.push('pull');
        const chunk = chunks.shift();
        if (chunk === undefined) controller.close();
        else controller.enqueue(chunk as Uint8Array);
      },
      cancel() {
        log.push('cancel');
      },
    },
    { highWaterMark: 0 },
  );

const sources: Record<string, (chunks: string[]) => StdinSource> = {
  bytes: (chunks) => ({ type: 'bytes', bytes: Buffer.from(chunks.join('')) }),
  'a web stream': (chunks) => ({ type: 'web', stream: webStream(chunks.map((chunk) => Buffer.from(chunk))) }),
  'a Readable': (chunks) => ({ type: 'node', stream: Readable.from(chunks.map((chunk) => Buffer.from(chunk))) }),
  'a Readable of strings': (chunks) => ({ type: 'node', stream: Readable.from(chunks) }),
};

describe.each(Object.entries(sources))('%s', (_, make) => {
  test('nothing is sent without credit, and never more than there is', async () => {
    const { stdin, feed, log, text } = open(make(['hello ', 'world']));
    feed();
    await turn();
    expect(log.sent).toEqual([]);
    stdin.addCredit(4);
    await turn();
    expect(text()).toBe('hell');
    stdin.addCredit(1);
    stdin.addCredit(2);
    await turn();
    expect(text()).toBe('hello w');
    expect(log.ended).toBe(0);
    stdin.addCredit(1_000);
    await turn();
    await turn();
    expect(text()).toBe('hello world');
    expect(log.ended).toBe(1);
    expect(log.faults).toEqual([]);
  });

  test('credit before the start counts, after a reset it does not', async () => {
    const { stdin, feed, text } = open(make(['hello']));
    stdin.addCredit(100);
    stdin.resetCredit();
    stdin.addCredit(2);
    feed();
    await turn();
    expect(text()).toBe('he');
    stdin.stop();
  });

  test('after a stop nothing more is sent, not even the end', async () => {
    const { stdin, feed, log } = open(make(['hello', 'world']));
    feed();
    stdin.addCredit(3);
    await turn();
    stdin.stop();
    stdin.stop();
    stdin.addCredit(100);
    await turn();
    expect(Buffer.concat(log.sent).toString()).toBe('hel');
    expect(log.ended).toBe(0);
    expect(log.faults).toEqual([]);
  });

  test('large input is cut into frames of 64 KiB', async () => {
    const { stdin, feed, log } = open(make(['x'.repeat(200_000)]));
    feed();
    stdin.addCredit(1_000_000);
    await turn();
    await turn();
    expect(Buffer.concat(log.sent)).toHaveLength(200_000);
    expect(Math.max(...log.sent.map((chunk) => chunk.byteLength))).toBe(65_536);
    expect(log.ended).toBe(1);
  });
});

test('bytes are sent without a copy', async () => {
  const bytes = new Uint8Array(100_000);
  const { stdin, feed, log } = open({ type: 'bytes', bytes });
  feed();
  stdin.addCredit(1_000_000);
  await turn();
  expect(log.sent.every((chunk) => chunk.buffer === bytes.buffer)).toBe(true);
});

describe('a source', () => {
  test('is pulled only while credit is left', async () => {
    const pulls: string[] = [];
    const { stdin, feed } = open({
      type: 'web',
      stream: webStream([Buffer.from('12345'), Buffer.from('6'), Buffer.from('7')], pulls),
    });
    feed();
    await turn();
    expect(pulls).toEqual([]);
    stdin.addCredit(5);
    await turn();
    expect(pulls).toEqual(['pull']);
    stdin.addCredit(1);
    await turn();
    expect(pulls).toEqual(['pull', 'pull']);
    stdin.stop();
    await turn();
    expect(pulls).toEqual(['pull', 'pull', 'cancel']);
  });

  test('that is a Readable is destroyed at a stop, also where it never began', async () => {
    for (const began of [true, false]) {
      const stream = new PassThrough();
      const { stdin, feed, log } = open({ type: 'node', stream });
      if (began) feed();
      stdin.addCredit(1);
      await turn();
      stdin.stop();
      await turn();
      expect(stream.destroyed).toBe(true);
      expect(log.faults).toEqual([]);
    }
  });

  test('that ended well is not cancelled', async () => {
    const pulls: string[] = [];
    const { stdin, feed, log } = open({ type: 'web', stream: webStream([], pulls) });
    feed();
    stdin.addCredit(1);
    await turn();
    expect(log.ended).toBe(1);
    stdin.stop();
    await turn();
    expect(pulls).toEqual(['pull']);
  });

  test.each<[string, () => StdinSource, string]>([
    [
      'a Readable that fails',
      () => ({
        type: 'node',
        stream: new Readable({ read: (() => undefined) as () => void }).destroy(new Error('disk on fire')),
      }),
      'disk on fire',
    ],
    [
      'a web stream that fails',
      () => ({
        type: 'web',
        stream: new ReadableStream({
          pull() {
            throw new Error('disk on fire');
          },
        }),
      }),
      'disk on fire',
    ],
    ['a web stream of numbers', () => ({ type: 'web', stream: webStream([5]) }), 'it gave 5, not bytes'],
    [
      'a Readable of objects',
      () => ({ type: 'node', stream: Readable.from([{ a: 1 }]) }),
      'it gave { a: 1 }, not bytes',
    ],
  ])('%s is a fault of the caller, told once', async (_, make, message) => {
    const { stdin, feed, log } = open(make());
    feed();
    stdin.addCredit(100);
    await turn();
    await turn();
    expect(log.faults).toHaveLength(1);
    expect(log.faults[0]).toMatchObject({ code: 'invalid-option', cause: expect.any(Error) });
    expect(log.faults[0]?.message).toContain(`stdin: the stream failed: ${message}`);
    expect(log.sent).toEqual([]);
    expect(log.ended).toBe(0);
  });

  test('that fails while the run waits is told as well', async () => {
    const stream = new PassThrough();
    const { log } = open({ type: 'node', stream });
    stream.destroy(new Error('too early'));
    await turn();
    expect(log.faults.map(({ message }) => message)).toEqual(['stdin: the stream failed: too early']);
  });
});
