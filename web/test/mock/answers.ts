// The canned answers of the mock gateway, by the name that a message gives after "/".
const CODE = `A palindrome reads the same in both directions. Letters are compared without case, and everything that is neither letter nor digit is skipped:

\`\`\`python
def is_palindrome(text: str) -> bool:
    """True if text reads the same forwards and backwards."""
    letters = [c.lower() for c in text if c.isalnum()]
    return letters == letters[::-1]


print(is_palindrome("A man, a plan, a canal: Panama"))  # True
\`\`\`

Two things to know:

1. \`letters[::-1]\` makes a reversed **copy**, which is fine for short texts.
2. An empty text counts as a palindrome.

| input | result |
| --- | ---: |
| \`"level"\` | true |
| \`"Isoveil"\` | false |
`;

const MATH = `The roots of $ax^2 + bx + c = 0$ over $\\mathbb{R}$ cost nothing, not $5 and not $6:

$$
x_{1,2} = \\frac{-b \\pm \\sqrt{b^2 - 4ac}}{2a}
$$

\\[
\\begin{aligned}
\\int_0^1 x^2 \\, dx &= \\left[ \\tfrac{x^3}{3} \\right]_0^1 \\\\
&= \\boxed{\\tfrac13}
\\end{aligned}
\\]

A rotation is \\(R = \\begin{pmatrix} \\cos\\theta & -\\sin\\theta \\\\ \\sin\\theta & \\cos\\theta \\end{pmatrix}\\), and $$|x| = \\begin{cases} x & \\text{if } x \\ge 0 \\\\ -x & \\text{otherwise} \\end{cases}$$ is short.

$$
\\sum_{i=1}^{n} a_i + \\sum_{i=1}^{n} b_i + \\sum_{i=1}^{n} c_i + \\sum_{i=1}^{n} d_i + \\sum_{i=1}^{n} e_i + \\sum_{i=1}^{n} f_i + \\sum_{i=1}^{n} g_i
$$
`;

const XSS = `<script>window.pwned = 1</script>
<img src="x" onerror="window.pwned = 2">
<svg onload="window.pwned = 3"><a xlink:href="javascript:window.pwned=4">a</a></svg>
<iframe src="javascript:window.pwned=5"></iframe>
<form action="https://example.invalid/"><button>Send</button></form>
<style>body { display: none }</style>

$\\href{javascript:window.pwned=8}{x}$ $\\htmlStyle{background:url(https://example.invalid/)}{x}$ $\\text{<img src=x onerror=window.pwned=9>}$ $\\fcolorbox{red}{blue}{x}$

[link one](javascript:window.pwned=6) [link two](data:text/html,<script>window.pwned=7</script>) [link three](vbscript:x)
<javascript:window.pwned=8> [good](https://example.org/?q="onmouseover=window.pwned=9)

![beacon](https://example.invalid/beacon.png) ![inline](data:image/png;base64,AAAA) ![api](/v1/models)

\`\`\`"><img src=x onerror=window.pwned=10>
</code></pre><script>window.pwned = 11</script>
\`\`\`

| <img src=x onerror=window.pwned=12> | b |
| --- | --- |
| <b onclick="window.pwned=13">x</b> | [x](  javascript:window.pwned=14) |

The end of the attempts.
`;

export const ANSWERS: Readonly<Record<string, string>> = {
  code: CODE,
  xss: XSS,
  emoji: 'A family 👨‍👩‍👧 waves 👋 in Zürich, says “grüezi” and こんにちは, and means it: naïve? Да, конечно. ✅',
  math: MATH,
  slow: 'This answer takes its time, word by word, so that there is a moment in which it can be stopped before it has come to its end, which is still some way off.',
  think: 'The person wants a short answer. First the greeting, then the fact that was asked for, then nothing more. **Hello.** The answer is 42.',
  long: Array.from({ length: 40 }, (_, i) => `Paragraph ${i + 1} of a long answer, which goes on until the window has to scroll.`).join('\n\n'),
};

export const DEFAULT_ANSWER = `A **permutation** is a rearrangement: every item keeps existing, only its place changes.

Think of a cloakroom. Each coat gets a numbered hook, and the numbers follow no order that you could guess. Whoever holds the list finds every coat at once; whoever looks only at the hooks sees numbers, and coats that never say whose they are.

- The *coats* are the words.
- The *numbers* are the ids that the server works with.
- The *list* is your key.

The same coat always hangs on the same hook, so a patient observer can count how often each hook is used.
`;

export const EXAMPLES = ['What is a permutation?', 'How does a cloakroom work?'];
