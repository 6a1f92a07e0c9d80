import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FAILURES, failureOf } from '../../src/core/failures.ts';

const TABLE = new URL('../../../isoveil/gateway/api_code.h', import.meta.url);
const PAGE = new URL('../../src/', import.meta.url);

const codesIn = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map((match) => match[1]!);

test('there is a sentence for every code of the gateway and of the page, and for no other', () => {
  const gateway = codesIn(readFileSync(TABLE, 'utf8'), /CODE\(k\w+, "(\w+)"\)/g);
  const sources = ['api.ts', 'core/chunks.ts', 'core/sse.ts'].map((name) => readFileSync(new URL(name, PAGE), 'utf8')).join('\n');
  const page = codesIn(sources, /new ApiError\([^;]*?'([a-z_]+)'\)/g);
  assert.ok(gateway.length >= 20 && page.length >= 3);
  assert.deepEqual(Object.keys(FAILURES).sort(), [...new Set([...gateway, ...page])].sort());
});

test('sentences are for people: whole, and without the words of a protocol', () => {
  for (const { text } of Object.values(FAILURES)) {
    assert.match(text, /^[A-Z].*[.?]$/);
    assert.doesNotMatch(text, /_|\bHTTP\b|\b[45]\d\d\b|upstream|JSON|null/i);
  }
});

test('a code that is unknown or missing is a failure all the same', () => {
  for (const code of [null, 'never_heard_of', 'toString']) {
    assert.deepEqual(failureOf({ message: 'x', code }), { text: 'The answer failed.', again: 'retry' });
  }
});
