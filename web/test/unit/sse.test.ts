import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventParser, readEvents } from '../../src/core/sse.ts';

const STREAM = ': ping\n\ndata: {"a": "é👋"}\n\nevent: x\ndata:two\ndata: lines\r\n\r\nid: 1\n\ndata: [DONE]\n\n';
const EVENTS = ['{"a": "é👋"}', 'two\nlines', '[DONE]'];

test('events are the same however the text is cut', () => {
  for (let size = 1; size <= STREAM.length; size += 1) {
    const parser = new EventParser();
    const events: string[] = [];
    for (let at = 0; at < STREAM.length; at += size) events.push(...parser.push(STREAM.slice(at, at + size)));
    assert.deepEqual(events, EVENTS, `pieces of ${size}`);
  }
});

test('bytes cut inside a code point give whole characters', async () => {
  const bytes = new TextEncoder().encode(STREAM);
  for (const size of [1, 2, 3, 7]) {
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.slice(at, at + size));
    const events: string[] = [];
    for await (const event of readEvents(streamOf(pieces))) events.push(event);
    assert.deepEqual(events, EVENTS);
  }
});

test('an event without its blank line is not delivered', () => {
  assert.deepEqual(new EventParser().push('data: {"half": 1}\n'), []);
});

test('leaving the loop cancels the stream', async () => {
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode('data: x\n\n')),
    cancel: () => void (cancelled = true),
  });
  for await (const event of readEvents(body)) {
    assert.equal(event, 'x');
    break;
  }
  assert.ok(cancelled);
});

function streamOf(pieces: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
}
