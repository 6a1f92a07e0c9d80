import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FAILURES, failureOf } from '../../src/core/failures.ts';

const GATEWAY = new URL('../../../isoveil/gateway/', import.meta.url);
const PAGE = new URL('../../src/', import.meta.url);

// The codes that stand in C++ as the code of an error.
function gatewayCodes(): Set<string> {
  const codes = new Set<string>();
  for (const name of readdirSync(GATEWAY)) {
    if (!name.endsWith('.cc') || /_(test|fuzzer)\.cc$/.test(name)) continue;
    const text = readFileSync(new URL(name, GATEWAY), 'utf8');
    for (const [, code] of text.matchAll(/\.code = "(\w+)"/g)) codes.add(code!);
    for (const [, code] of text.matchAll(/Of(?:Request|Upstream)\(error, \d+, "(\w+)"/g)) codes.add(code!);
    for (const [, code] of text.matchAll(/"((?:host|origin)_not_allowed)"/g)) codes.add(code!);
  }
  return codes;
}

test('every code of the gateway has a sentence', () => {
  const codes = gatewayCodes();
  assert.ok(codes.size >= 12, `only ${[...codes].join(', ')} found`);
  assert.deepEqual([...codes].filter((code) => !(code in FAILURES)), []);
});

test('every code of the page itself has a sentence', () => {
  const text = ['api.ts', 'core/chunks.ts', 'core/sse.ts'].map((name) => readFileSync(new URL(name, PAGE), 'utf8')).join('\n');
  const codes = [...text.matchAll(/new ApiError\([^;]*?'([a-z_]+)'\)/g)].map((match) => match[1]!);
  assert.ok(codes.length >= 3);
  assert.deepEqual(codes.filter((code) => !(code in FAILURES)), []);
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
