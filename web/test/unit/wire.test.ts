import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WirePair } from '../../src/core/types.ts';
import { countIds, packRows, pieceKind, showId, showPiece, wireStats } from '../../src/core/wire.ts';

const LIMITS = { ids: 4, characters: 20 };

// A small generator with a fixed seed, so that a failure can be repeated.
function randomPairs(length: number, seed: number): WirePair[] {
  let state = seed;
  const next = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const pieces = ['a', ' word', '\n', 'longer piece', '\uFFFD', '', ' ', '.\n', 'an exceedingly long token'];
  return Array.from({ length }, () => [pieces[next(pieces.length)]!, next(50)]);
}

test('rows hold every pair once, in order, within the limits', () => {
  for (let seed = 0; seed < 200; seed += 1) {
    const pairs = randomPairs(seed, seed);
    const rows = packRows(pairs, LIMITS);
    assert.deepEqual(rows.flatMap((row) => row.pairs), pairs);
    let start = 0;
    for (const row of rows) {
      assert.equal(row.start, start);
      start += row.pairs.length;
      assert.ok(row.pairs.length <= LIMITS.ids);
      const width = row.pairs.reduce((sum, [piece]) => sum + [...showPiece(piece)].length, 0);
      assert.ok(width <= LIMITS.characters || row.pairs.length === 1);
      assert.ok(row.pairs.slice(0, -1).every(([piece]) => !piece.includes('\n')), 'a line break ends its row');
    }
  }
});

test('full rows do not change while tokens arrive', () => {
  const pairs = randomPairs(60, 7);
  for (let length = 1; length < pairs.length; length += 1) {
    const before = packRows(pairs.slice(0, length), LIMITS);
    const after = packRows(pairs.slice(0, length + 1), LIMITS);
    assert.deepEqual(after.slice(0, before.length - 1), before.slice(0, -1));
  }
});

test('what would not show has a sign, and what is no character is not one', () => {
  assert.equal(showPiece('a\n\tb'), 'a↵⇥b');
  assert.equal(showPiece('\uFFFD\uFFFD'), '···');
  assert.equal(showPiece(''), '∅');
  const kinds = ['hello', ' ', '<|im_start|>', '</s>', '\uFFFD', '', '<b>'].map(pieceKind);
  assert.deepEqual(kinds, ['text', 'space', 'special', 'special', 'bytes', 'empty', 'text']);
});

test('counts are what a listener could count', () => {
  const counts = countIds([['a', 5], ['b', 6]], [['a', 5], ['c', 7], ['a', 5]]);
  assert.deepEqual(wireStats(counts), { total: 5, distinct: 3, top: { id: 5, count: 3 } });
  assert.equal(wireStats(countIds([['a', 1]])).top, null);
  assert.deepEqual(wireStats(new Map()), { total: 0, distinct: 0, top: null });
});

test('ids have the width of the vocabulary', () => {
  assert.equal(showId(7, 151_936), '000007');
  assert.equal(showId(151_935, 151_936), '151935');
  assert.equal(showId(1000, 1000), '1000');
  assert.equal(showId(3, 0), '3');
});
