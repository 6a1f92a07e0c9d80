// A stand-in for a tokenizer and its permuted vocabulary: the same piece always has the same id.
import { createHash } from 'node:crypto';
import type { WirePair } from '../../src/core/types.ts';

export const N_VOCAB = 151_936;

export interface MockToken {
  readonly text: string;                // what the stream carries
  readonly pieces: readonly string[];   // the tokens it consists of
}

export class MockTokenizer {
  private readonly ids = new Map<string, number>();
  private readonly taken = new Set<number>();
  private partial = 0;

  tokens(text: string): MockToken[] {
    const pieces = text.match(/<\|[^|]*\|>|\r?\n|\p{Extended_Pictographic}(?:\u200d?\p{Extended_Pictographic}|\ufe0f)*| ?[\p{L}\p{M}]{1,9}| ?\p{N}{1,3}| ?[^\s\p{L}\p{N}<]{1,2}|<|\s+/gu) ?? [];
    return pieces.map((piece) => ({
      text: piece,
      // An emoji is several byte tokens, none of which is a character by itself.
      pieces: /\p{Extended_Pictographic}/u.test(piece) ? ['\uFFFD', '\uFFFD\uFFFD', '\uFFFD'] : [piece],
    }));
  }

  pairs(text: string): WirePair[] {
    return this.tokens(text).flatMap(({ pieces }) => pieces.map((piece): WirePair => [piece, this.encrypt(piece)]));
  }

  encrypt(piece: string): number {
    // Different byte tokens look the same once decoded; their ids differ all the same.
    const key = piece.startsWith('\uFFFD') ? `bytes ${(this.partial += 1) % 9}` : piece;
    const known = this.ids.get(key);
    if (known !== undefined) return known;
    let id = createHash('sha256').update(`mock key ${key}`).digest().readUInt32BE(0) % N_VOCAB;
    while (this.taken.has(id)) id = (id + 1) % N_VOCAB;
    this.taken.add(id);
    this.ids.set(key, id);
    return id;
  }
}
