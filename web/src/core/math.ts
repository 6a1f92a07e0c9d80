// Formulas of an answer: where they stand in Markdown, and their MathML by KaTeX.
//
//   addMath(markdown)    $x$, $$x$$, \(x\), \[x\] become formulas; "$5 and $6" stays what it is
//
// Nothing of a formula is trusted: it is bounded, cannot load or link, and sanitize.ts filters what comes out.
import katex from 'katex';
import type MarkdownIt from 'markdown-it';
import { letter } from './math_letters.ts';

const MAX_TEX = 4_000;   // characters
const MAX_INLINE = 1_000;
const MAX_KEPT = 500;    // formulas rendered, so that a growing answer renders each once
const OPTIONS = { output: 'mathml', trust: false, maxExpand: 100, maxSize: 20, throwOnError: true, strict: 'ignore' } as const;

const kept = new Map<string, string | null>();

// Null for what KaTeX cannot read.
export function renderMath(tex: string, display: boolean): string | null {
  if (tex.length > MAX_TEX) return null;
  const key = `${display} ${tex}`;
  const known = kept.get(key);
  if (known !== undefined) return known;
  if (kept.size >= MAX_KEPT) kept.clear();
  const html = mathml(tex, display);
  kept.set(key, html);
  return html;
}

function mathml(tex: string, display: boolean): string | null {
  try {
    return katex.renderToString(tex, { ...OPTIONS, displayMode: display })
      .replace(/^<span class="katex">|<\/span>$/g, '')
      .replace(/<annotation [^>]*>[^<]*<\/annotation>|<\/?semantics>/g, '')
      // The policy of the page forbids styles, and would report each.
      .replace(/<[^>]+>/g, (tag) => tag.replace(/ style="[^"]*"/g, ''))
      // Browsers know no other style of letters than the characters themselves.
      .replace(/<(m[ino]|mtext) mathvariant="([a-z-]+)">([^<]*)</g, (whole, tag: string, style: string, text: string) =>
        style === 'normal' ? whole : `<${tag}>${[...text].map((sign) => letter(sign, style)).join('')}<`);
  } catch {
    return null;
  }
}

export interface Formula {
  readonly tex: string;
  readonly display: boolean;
  readonly end: number;  // behind the closing sign
}

const PAIRS = [
  { open: '$$', close: '$$', display: true },
  { open: '\\[', close: '\\]', display: true },
  { open: '\\(', close: '\\)', display: false },
] as const;

// The formula that begins at `at`, if one does.
export function findFormula(source: string, at: number): Formula | null {
  const pair = PAIRS.find(({ open }) => source.startsWith(open, at));
  if (!pair) return source[at] === '$' ? findDollars(source, at) : null;
  if (source[at - 1] === '$') return null;
  const close = closing(source, at + 2, pair.close);
  return close < 0 ? null : formula(source.slice(at + 2, close), pair.display, close + 2);
}

// One dollar each: tight at the formula, not beside another word or amount, and on one line.
function findDollars(source: string, at: number): Formula | null {
  if (/[\p{L}\p{N}$]/u.test(source[at - 1] ?? '') || !/[^\s$]/.test(source[at + 1] ?? ' ')) return null;
  const close = closing(source, at + 1, '$');
  if (close < 0 || /[\s=<>+*/(,;:-]/.test(source[close - 1]!) || /[\p{L}\p{N}$]/u.test(source[close + 1] ?? '')) return null;
  const tex = source.slice(at + 1, close);
  const spaced = /\s/.test(tex) && !/[\\^_={}<>+*/|-]/.test(tex);
  return spaced || tex.includes('\n') ? null : formula(tex, false, close + 1);
}

function closing(source: string, from: number, close: string): number {
  for (let at = from; at < source.length && at - from <= MAX_INLINE; at += 1) {
    if (source.startsWith(close, at)) return at;
    if (source[at] === '\\') at += 1;
  }
  return -1;
}

function formula(text: string, display: boolean, end: number): Formula | null {
  const tex = text.trim();
  return tex === '' || text.includes('`') || /\n\s*\n/.test(text) || isProse(tex) ? null : { tex, display, end };
}

// Words in a row, other than those that the formula itself calls text.
function isProse(tex: string): boolean {
  const bare = tex.replace(/\\(?:text\w*|mathrm|mbox|operatorname\*?)\s*\{[^{}]*\}|\\[A-Za-z]+/g, ' \\ ');
  return /\p{L}{3,}[,.;:]?\s+\p{L}{2,}/u.test(bare);
}

export function addMath(markdown: InstanceType<typeof MarkdownIt>): void {
  const escape = markdown.utils.escapeHtml;

  markdown.inline.ruler.before('escape', 'math', (state, silent) => {
    const found = findFormula(state.src, state.pos);
    if (!found || found.end > state.posMax) return false;
    if (!silent) {
      const token = state.push('math', 'math', 0);
      token.content = found.tex;
      token.markup = state.src.slice(state.pos, found.end);
      token.meta = { display: found.display };
    }
    state.pos = found.end;
    return true;
  });

  // A formula with lines of its own. While its end has not come, its source shows as it is, so that nothing of it is
  // taken for Markdown; a blank line says that it is no formula.
  markdown.block.ruler.before('fence', 'math_block', (state, startLine, endLine, silent) => {
    const begin = state.bMarks[startLine]! + state.tShift[startLine]!;
    const pair = PAIRS.find(({ open, display }) => display && state.src.startsWith(open, begin));
    if (!pair || state.sCount[startLine]! - state.blkIndent >= 4) return false;
    let line = startLine;
    let close = -1;
    for (; line < endLine && close < 0; line += 1) {
      const end = state.eMarks[line]!;
      if (line > startLine && (state.isEmpty(line) || state.sCount[line]! < state.blkIndent)) return false;
      close = state.src.slice(0, end).indexOf(pair.close, line === startLine ? begin + 2 : state.bMarks[line]!);
      if (close >= 0 && state.src.slice(close + 2, end).trim() !== '') return false;
    }
    const source = state.getLines(startLine, line, state.blkIndent, false).trim();
    const tex = source.slice(2, close < 0 ? undefined : -2).trim();
    if (isProse(tex) || (close >= 0 && tex === '') || tex.length > MAX_TEX) return false;
    if (!silent) {
      const token = state.push('math_block', 'math', 0);
      token.block = true;
      token.content = tex;
      token.markup = source;
      token.meta = { display: true, open: close < 0 };
      token.map = [startLine, line];
      state.line = line;
    }
    return true;
  }, { alt: ['paragraph', 'reference', 'blockquote', 'list'] });

  markdown.renderer.rules.math = (tokens, index) => {
    const { content, markup, meta } = tokens[index]!;
    return renderMath(content, (meta as { display: boolean }).display) ?? `<code>${escape(markup)}</code>`;
  };
  markdown.renderer.rules.math_block = (tokens, index) => {
    const { content, markup, meta } = tokens[index]!;
    const html = (meta as { open: boolean }).open ? null : renderMath(content, true);
    return html === null
      ? `<div class="math-source">${escape(markup)}</div>`
      : `<div class="math" tabindex="0" role="group" aria-label="Formula">${html}</div>`;
  };
}
