// Markdown of a model's answer to HTML, block by block, so that a streaming answer replaces only its last
// block. Nothing of the answer is trusted: raw HTML is shown as text, images become links (a picture would
// be a request that the model chose), and only ordinary link schemes are links. sanitize.ts filters again.
import MarkdownIt from 'markdown-it';
import hljs from 'highlight.js/lib/core';
import bash from 'highlight.js/lib/languages/bash';
import c from 'highlight.js/lib/languages/c';
import cpp from 'highlight.js/lib/languages/cpp';
import css from 'highlight.js/lib/languages/css';
import diff from 'highlight.js/lib/languages/diff';
import go from 'highlight.js/lib/languages/go';
import java from 'highlight.js/lib/languages/java';
import javascript from 'highlight.js/lib/languages/javascript';
import json from 'highlight.js/lib/languages/json';
import python from 'highlight.js/lib/languages/python';
import rust from 'highlight.js/lib/languages/rust';
import sql from 'highlight.js/lib/languages/sql';
import typescript from 'highlight.js/lib/languages/typescript';
import xml from 'highlight.js/lib/languages/xml';
import yaml from 'highlight.js/lib/languages/yaml';
import { addMath } from './math.ts';

const LANGUAGES = { bash, c, cpp, css, diff, go, java, javascript, json, python, rust, sql, typescript, xml, yaml };
const MAX_HIGHLIGHTED = 20_000;  // characters; longer code stays plain, so that streaming stays smooth

for (const [name, language] of Object.entries(LANGUAGES)) hljs.registerLanguage(name, language);

const markdown = new MarkdownIt({ html: false, linkify: true, breaks: true });
markdown.linkify.set({ fuzzyLink: false, fuzzyEmail: false });
markdown.validateLink = isSafeLink;
addMath(markdown);
const escape = markdown.utils.escapeHtml;

markdown.renderer.rules.fence = (tokens, index) => {
  const token = tokens[index]!;
  return codeBlock(token.content, token.info.trim().split(/\s+/)[0] ?? '');
};
markdown.renderer.rules.code_block = (tokens, index) => codeBlock(tokens[index]!.content, '');
markdown.renderer.rules.image = (tokens, index) => {
  const token = tokens[index]!;
  const target = String(token.attrGet('src') ?? '');
  return `<a ${linkAttributes(target)}>[image: ${escape(token.content || target)}]</a>`;
};
markdown.renderer.rules.link_open = (tokens, index) => `<a ${linkAttributes(String(tokens[index]!.attrGet('href') ?? ''))}>`;
markdown.renderer.rules.table_open = () => '<div class="table" tabindex="0" role="group" aria-label="Table"><table>';
markdown.renderer.rules.table_close = () => '</table></div>';
// markdown-it aligns cells with a style attribute, which the content security policy forbids.
for (const rule of ['th_open', 'td_open'] as const) {
  markdown.renderer.rules[rule] = (tokens, index) => {
    const align = /text-align:(\w+)/.exec(String(tokens[index]!.attrGet('style') ?? ''))?.[1];
    return `<${tokens[index]!.tag}${align ? ` class="align-${align}"` : ''}>`;
  };
}

export function isSafeLink(url: string): boolean {
  return /^(https?:\/\/|mailto:)/i.test(url.trim());
}

// HTML of each top-level block. An unfinished code fence is a code block up to the end of the text. While the text
// grows, a dollar at its end waits for what follows: "$x$" is a formula, "$x$5" is none.
export function renderBlocks(source: string, growing = false): string[] {
  const env = {};
  let end = source.length;
  while (growing && source[end - 1] === '$') end -= 1;
  const tokens = markdown.parse(source.slice(0, end), env);
  const blocks: string[] = [];
  let start = 0;
  tokens.forEach((token, index) => {
    if (token.level !== 0 || token.nesting === 1) return;
    blocks.push(markdown.renderer.render(tokens.slice(start, index + 1), markdown.options, env));
    start = index + 1;
  });
  return blocks;
}

function linkAttributes(url: string): string {
  const target = escape(url);
  return `href="${target}" title="${target}" target="_blank" rel="noopener noreferrer nofollow"`;
}

function codeBlock(code: string, info: string): string {
  const language = info.toLowerCase();
  const known = hljs.getLanguage(language) !== undefined && code.length <= MAX_HIGHLIGHTED;
  const body = known ? hljs.highlight(code, { language, ignoreIllegals: true }).value : escape(code);
  return (
    `<figure class="code"><figcaption><span>${escape(info || 'text')}</span>` +
    `<button type="button" data-copy="code">Copy</button></figcaption>` +
    `<pre tabindex="0"><code>${body}</code></pre></figure>`
  );
}
