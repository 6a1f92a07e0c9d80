import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderBlocks } from '../../src/core/markdown.ts';
import { letter } from '../../src/core/math_letters.ts';

const html = (source: string): string => renderBlocks(source).join('');
const formulas = (source: string, growing = false): number => renderBlocks(source, growing).join('').split('<math').length - 1;

test('formulas in all four spellings, in a line and on lines of their own', () => {
  for (const [source, inline] of [['so $x^2$.', true], ['so \\(x^2\\).', true], ['so $$x^2$$.', true], ['$$\nx^2\n$$', false], ['\\[ x^2 \\]', false],
                                  ['Then:\n$$x^2$$\nand on', false], ['- a\n  \\[\n  x^2\n  \\]', false], ['> $$x^2$$', false]] as const) {
    assert.equal(formulas(source), 1, source);
    assert.match(html(source), /<msup><mi>x<\/mi><mn>2<\/mn><\/msup>/, source);
    assert.equal(/class="math"/.test(html(source)), !inline, source);
    assert.doesNotMatch(html(source), /annotation|semantics|style=/);
  }
  assert.equal(formulas('**with $a_1$ and $b_1$**, `$c$`, [$d$](https://example.org/)'), 3);
});

test('dollars in prose stay prose, in every state of a growing text', () => {
  for (const source of ['It costs $5 and $6.', 'between $5 and 10$ each', 'US$5 or A$7', '$5-$6', '$ 5 $', 'from $1,000 to $2,000', 'cost $5 = 4 euro, but 10$ = 8 euro',
                        '$HOME and $PATH', 'echo $HOME/$USER', 'a $20 bill\nand a $10 bill', '\\$5 and \\$6$', '$$ is money', 'pay $5', '\\[citation needed\\]',
                        'The \\(optional part\\) here', '$$', '$', '`$x$`', '```\n$$x$$\n```', 'A$x$', '$x$5']) {
    for (let end = 1; end <= source.length; end += 1) {
      assert.equal(formulas(source.slice(0, end), true), 0, source.slice(0, end));
    }
    assert.equal(formulas(source), 0, source);
  }
  assert.equal(html('It costs $5 and $6.'), '<p>It costs $5 and $6.</p>\n');
  assert.match(html('It costs $5, and $x^2$ more.'), /costs \$5, and <math/);
});

test('a dollar at the end of a growing text waits for what follows, and of a whole one closes', () => {
  for (const source of ['so $x$', '- $a$\n- $x$', 'so $$x$$', '$$\nx\n$$']) {
    const all = formulas(source);
    assert.ok(all > 0, source);
    assert.equal(formulas(source, true), all - 1, source);
    assert.equal(formulas(`${source}\n`, true), all, source);
  }
});

test('a growing answer changes at its end only, and each formula turns once', () => {
  const source = 'Let $a_1 + b_1$ be *it*.\n\n$$\n\\frac{a_1}{b_1} = c_1 * d_1 * e\n$$\n\nAnd \\(x\\), then:\n\\[\n\\begin{aligned}a&=b\\\\&=c\\end{aligned}\n\\]\nThe $5 end.';
  assert.equal(formulas(source), 4);
  let before = 0;
  for (let end = 1; end <= source.length; end += 1) {
    const now = renderBlocks(source.slice(0, end), true);
    assert.deepEqual(now.slice(0, -2), renderBlocks(source).slice(0, Math.max(now.length - 2, 0)));
    const count = formulas(source.slice(0, end), true);
    assert.ok(count >= before, source.slice(0, end));
    before = count;
  }
  // Before its end has come a formula is its source, never Markdown.
  assert.equal(html('$$\na *b* _c_ d\\\\'), '<div class="math-source">$$\na *b* _c_ d\\\\</div>');
});

test('what KaTeX cannot read shows as it is written, and nothing is trusted', () => {
  assert.match(html('$\\frac{a$'), /<code>\$\\frac\{a\$<\/code>/);
  assert.match(html('$$\n\\nosuch{<b>}\n$$'), /<div class="math-source">\$\$\n\\nosuch\{&lt;b&gt;\}/);
  for (const tex of ['\\href{javascript:alert(1)}{x}', '\\url{https://example.org}', '\\includegraphics{https://example.org/a.png}', '\\htmlClass{a}{x}',
                     '\\htmlStyle{color:red}{x}', '\\htmlData{a=b}{x}', '\\text{<img src=x onerror=alert(1)>}', '\\fcolorbox{red}{blue}{x}']) {
    assert.doesNotMatch(html(`$${tex}$`), /<(a|img|span|script)\b|href=|src="|class="a"|data-| style=/, tex);
  }
});

test('a formula is bounded: length, expansion, depth and size', () => {
  assert.equal(formulas(`$$\n${'x+'.repeat(1999)}x\n$$`), 1);
  assert.equal(formulas(`$$\n${'x+'.repeat(2100)}x\n$$`), 0);
  assert.equal(formulas('$\\def\\a{\\a\\a}\\a$'), 0);
  assert.equal(formulas('$\\def\\a{xx}\\def\\b{\\a\\a\\a\\a\\a\\a}\\def\\c{\\b\\b\\b\\b\\b\\b}\\c\\c\\c\\c\\c\\c\\c$'), 0);
  assert.match(html(`$$\n${'{'.repeat(1900)}x${'}'.repeat(1900)}\n$$`), /<math|math-source/);
  assert.doesNotMatch(html('$\\rule{9999em}{9999em}$'), /9999/);
  const started = performance.now();
  html('$x'.repeat(20_000));
  html('\\('.repeat(20_000));
  assert.ok(performance.now() - started < 4_000);
});

test('letters have the characters of their style', () => {
  assert.match(html('$\\mathbb{R} \\mathbf{v} \\mathcal{L} \\mathfrak{g}$'), /ℝ[\s\S]*𝐯[\s\S]*ℒ[\s\S]*𝔤/u);
  assert.deepEqual([letter('A', 'script'), letter('7', 'bold'), letter('7', 'fraktur'), letter('ä', 'bold'), letter('a', 'none')], ['𝒜', '𝟕', '7', 'ä', 'a']);
});
