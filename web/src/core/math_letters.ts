// Letters of formulas in other styles, as the characters that Unicode has for them.
// Source: Unicode's block "Mathematical Alphanumeric Symbols" and, for the letters that were there before it, its holes.
const STYLES: Readonly<Record<string, { readonly letters: number; readonly digits?: number }>> = {
  'bold': { letters: 0x1d400, digits: 0x1d7ce },
  'italic': { letters: 0x1d434 },
  'bold-italic': { letters: 0x1d468 },
  'script': { letters: 0x1d49c },
  'bold-script': { letters: 0x1d4d0 },
  'fraktur': { letters: 0x1d504 },
  'double-struck': { letters: 0x1d538, digits: 0x1d7d8 },
  'bold-fraktur': { letters: 0x1d56c },
  'sans-serif': { letters: 0x1d5a0, digits: 0x1d7e2 },
  'bold-sans-serif': { letters: 0x1d5d4, digits: 0x1d7ec },
  'sans-serif-italic': { letters: 0x1d608 },
  'sans-serif-bold-italic': { letters: 0x1d63c },
  'monospace': { letters: 0x1d670, digits: 0x1d7f6 },
};
const HOLES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'italic': { h: 'ℎ' },
  'script': { B: 'ℬ', E: 'ℰ', F: 'ℱ', H: 'ℋ', I: 'ℐ', L: 'ℒ', M: 'ℳ', R: 'ℛ', e: 'ℯ', g: 'ℊ', o: 'ℴ' },
  'fraktur': { C: 'ℭ', H: 'ℌ', I: 'ℑ', R: 'ℜ', Z: 'ℨ' },
  'double-struck': { C: 'ℂ', H: 'ℍ', N: 'ℕ', P: 'ℙ', Q: 'ℚ', R: 'ℝ', Z: 'ℤ' },
};

// The sign itself where there is none in that style.
export function letter(sign: string, style: string): string {
  const place = STYLES[style];
  if (!place) return sign;
  const hole = HOLES[style]?.[sign];
  if (hole !== undefined) return hole;
  const code = sign.codePointAt(0)!;
  if (/^[A-Z]$/.test(sign)) return String.fromCodePoint(place.letters + code - 0x41);
  if (/^[a-z]$/.test(sign)) return String.fromCodePoint(place.letters + 26 + code - 0x61);
  if (/^[0-9]$/.test(sign) && place.digits !== undefined) return String.fromCodePoint(place.digits + code - 0x30);
  return sign;
}
