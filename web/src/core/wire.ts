// The arithmetic of the wire view: rows in which words and ids stand beside each other, and what someone
// who sees only the ids can count.
import type { WirePair } from './types.ts';

export interface Row {
  readonly start: number;  // index of the first pair
  readonly pairs: readonly WirePair[];
}

export interface RowLimits {
  readonly ids: number;         // most ids in a row
  readonly characters: number;  // most characters of text in a row; a longer token has a row of its own
}

// Packs pairs into rows. A row ends after a line break, so that the words keep the look of the text.
// Packing is greedy, so rows already full never change while tokens arrive.
export function packRows(pairs: readonly WirePair[], limits: RowLimits): Row[] {
  const rows: Row[] = [];
  let row: WirePair[] = [];
  let width = 0;
  let start = 0;
  const close = (next: number): void => {
    if (row.length > 0) rows.push({ start, pairs: row });
    row = [];
    width = 0;
    start = next;
  };
  pairs.forEach((pair, index) => {
    const length = [...showPiece(pair[0])].length;
    if (row.length >= limits.ids || (row.length > 0 && width + length > limits.characters)) close(index);
    row.push(pair);
    width += length;
    if (pair[0].includes('\n')) close(index + 1);
  });
  close(pairs.length);
  return rows;
}

// White space that would not show gets a sign of its own. A token that is a part of a code point arrives
// as U+FFFD; it shows as a middle dot run, since no character belongs to it alone.
export function showPiece(piece: string): string {
  return piece.replace(/\r?\n/g, '↵').replace(/\t/g, '⇥').replace(/\uFFFD+/g, '···') || '∅';
}

export type PieceKind = 'text' | 'space' | 'special' | 'bytes' | 'empty';

export function pieceKind(piece: string): PieceKind {
  if (piece === '') return 'empty';
  if (piece.includes('\uFFFD')) return 'bytes';
  if (/^<[|｜].*[|｜]>$|^<\/?(s|bos|eos|pad|unk|start_of_turn|end_of_turn)>$|^\[(INST|\/INST)\]$/.test(piece)) return 'special';
  return /^\s+$/.test(piece) ? 'space' : 'text';
}

export interface WireStats {
  readonly total: number;
  readonly distinct: number;
  readonly top: { readonly id: number; readonly count: number } | null;  // null where nothing repeats
}

export function countIds(...lists: readonly (readonly WirePair[])[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const list of lists) for (const [, id] of list) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}

export function wireStats(counts: ReadonlyMap<number, number>): WireStats {
  let total = 0;
  let top: WireStats['top'] = null;
  for (const [id, count] of counts) {
    total += count;
    if (count > (top?.count ?? 1)) top = { id, count };
  }
  return { total, distinct: counts.size, top };
}

// Ids are opaque labels, so they are written like ones: fixed width, leading zeros.
export function showId(id: number, vocab: number): string {
  return String(id).padStart(Math.max(String(Math.max(vocab - 1, 0)).length, 1), '0');
}
