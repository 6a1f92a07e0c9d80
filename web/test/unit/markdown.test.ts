import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSafeLink, renderBlocks } from '../../src/core/markdown.ts';

const html = (source: string): string => renderBlocks(source).join('');

test('each top-level block stands alone, and earlier ones stay as an answer grows', () => {
  const source = '# T\n\nOne *two*\n\n- a\n- b\n\n```python\ndef f(): pass\n```\n\n| a |\n| - |\n| 1 |\n';
  assert.equal(renderBlocks(source).length, 5);
  for (let end = 1; end < source.length; end += 1) {
    const now = renderBlocks(source.slice(0, end));
    assert.deepEqual(now.slice(0, -2), renderBlocks(source).slice(0, Math.max(now.length - 2, 0)));
  }
});

test('code has its language, a copy button and colours; an unfinished fence is code already', () => {
  const block = html('```python\ndef f');
  assert.match(block, /<span>python<\/span><button type="button" data-copy="code">/);
  assert.match(block, /hljs-keyword/);
  assert.match(html('```nosuch\n<b>'), /<code>&lt;b&gt;/);
  assert.doesNotMatch(html(`\`\`\`python\n${'x = 1\n'.repeat(5000)}\`\`\``), /hljs/);
});

test('raw HTML is text', () => {
  for (const source of ['<script>alert(1)</script>', '<img src=x onerror=alert(1)>', 'a <b onclick=x>b</b>', '<svg/onload=x>', '<!-- x -->']) {
    assert.doesNotMatch(html(source), /<(script|img|b|svg|!--)/, source);
  }
  assert.match(html('```"><img src=x>\nx\n```'), /&quot;&gt;&lt;img/);
});

test('only ordinary links are links, and pictures become links', () => {
  for (const url of ['javascript:x', 'JaVaScRiPt:x', 'data:text/html,x', 'vbscript:x', '/v1/models', '//host', 'file:///etc', ' javascript:x']) {
    assert.ok(!isSafeLink(url), url);
    assert.doesNotMatch(html(`[x](${url})`), /<a /, url);
  }
  assert.match(html('[x](https://example.org/)'), /<a href="https:\/\/example.org\/" title="[^"]*" target="_blank" rel="noopener noreferrer nofollow">/);
  assert.match(html('![p](https://example.org/p.png)'), /\[image: p\]<\/a>/);
  assert.doesNotMatch(html('![p](https://example.org/p.png) ![q](data:image/png;base64,AA)'), /<img/);
});

test('no style attribute is written: the policy would refuse it', () => {
  const table = html('| a | b |\n| ---: | :-: |\n| 1 | 2 |');
  assert.doesNotMatch(table, /style=/);
  assert.match(table, /<td class="align-right">1/);
});
