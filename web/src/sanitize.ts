// The second lock after markdown.ts: only the elements and attributes that it writes get into the page.
import DOMPurify from 'dompurify';

// What KaTeX writes, but colours, styles and addresses.
const MATH_TAGS = ['math', 'mrow', 'mi', 'mo', 'mn', 'mtext', 'mspace', 'msup', 'msub', 'msubsup', 'mover', 'munder', 'munderover', 'mfrac',
                   'msqrt', 'mroot', 'mtable', 'mtr', 'mtd', 'mstyle', 'menclose', 'mpadded', 'mphantom'];
const MATH_ATTR = ['display', 'mathvariant', 'stretchy', 'fence', 'separator', 'accent', 'accentunder', 'lspace', 'rspace', 'minsize', 'maxsize',
                   'scriptlevel', 'displaystyle', 'columnalign', 'linethickness', 'width', 'height', 'depth', 'voffset', 'notation',
                   'symmetric', 'largeop', 'movablelimits'];

const CONFIG = {
  ALLOWED_TAGS: ['p', 'br', 'hr', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'strong', 'em', 's', 'a', 'ul', 'ol', 'li',
                 'blockquote', 'pre', 'code', 'span', 'div', 'table', 'thead', 'tbody', 'tr', 'th', 'td',
                 'figure', 'figcaption', 'button', ...MATH_TAGS],
  ALLOWED_ATTR: ['href', 'title', 'target', 'rel', 'class', 'start', 'type', 'tabindex', 'role', 'aria-label',
                 'data-copy', ...MATH_ATTR],
  ALLOWED_URI_REGEXP: /^(https?:\/\/|mailto:)/i,
  // Their values are no addresses, so the pattern for addresses is not for them.
  ADD_URI_SAFE_ATTR: ['target', 'rel', 'start', 'type', 'tabindex', 'aria-label', 'data-copy', ...MATH_ATTR],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_TRUSTED_TYPE: true,
} as const;

// Typed as a string; where the browser knows Trusted Types, it is the TrustedHTML that innerHTML asks for.
export function sanitize(html: string): string {
  return DOMPurify.sanitize(html, CONFIG as never) as unknown as string;
}
