"""Write tests/vectors/tokenizer/corpus.json: texts that tell tokenizers apart.

    python make_corpus.py > ../vectors/tokenizer/corpus.json

All of it is written for this purpose, or drawn from the tables of Unicode 14 (Python 3.11) with a fixed seed.
"""

import json
import random
import sys
import unicodedata

SCRIPTS = [
    "The quick brown fox jumps over the lazy dog; it doesn't care, I've seen it. We'll SEE IT'S here, they'd say.",
    "L'été dernier, nous étions à Besançon où l'œuvre naïve coûtait 1 234,50 €.",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich — „Straße“, sagte er.",
    "El pingüino Wenceslao hizo kilómetros bajo exhaustiva lluvia. ¿Qué? ¡Niño!",
    "Příliš žluťoučký kůň úpěl ďábelské ódy. Zażółć gęślą jaźń.",
    "Pijamalı hasta yağız şoföre çabucak güvendi. İstanbul'da ışık.",
    "Съешь же ещё этих мягких французских булок, да выпей чаю. ПРИВЕТ Мир 2024!",
    "Щастям б'єш жук їх глицю в фон й ґедзь пріч. Нещо на Български.",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. ὕβρις ΑΘΗΝΑ Αθήνα",
    "דג סקרן שט בים מאוכזב ולפתע מצא חברה. שָׁלוֹם עֲלֵיכֶם",
    "صِف خَلقَ خَودِ كَمِثلِ الشَمسِ إِذ بَزَغَت ١٢٣٤٥ ـــ مرحبا، كيف الحال؟",
    "پیری که جوانی می‌نماید ۱۲۳ نیم‌فاصله",
    "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण १२३४५ क्षत्रिय ज़िन्दगी",
    "আমি বাংলায় গান গাই। ১২৩ ক্ষমা",
    "ਪੰਜਾਬੀ ਲਿਖਤ ੧੨੩ ਗੁਰਮੁਖੀ",
    "தமிழ் எழுத்துக்கள் ௧௨௩ யாமறிந்த மொழிகளிலே",
    "తెలుగు అక్షరాలు ౧౨౩ దేశభాషలందు",
    "ಕನ್ನಡ ಬರಹ ೧೨೩",
    "മലയാളം എഴുത്ത് ന്‍റെ",
    "සිංහල අකුරු ශ්‍රී ලංකා",
    "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า ๑๒๓ กว่าบรรดาฝูงสัตว์",
    "ພາສາລາວ ໑໒໓ ສະບາຍດີ",
    "ကမ္ဘာ မြန်မာစာ ၁၂၃",
    "កាន់តែពិសេសអាចមានបញ្ហា ១២៣",
    "བོད་ཡིག ༡༢༣ བཀྲ་ཤིས་བདེ་ལེགས།",
    "ყველა ადამიანი იბადება თავისუფალი ᲥᲐᲠᲗᲣᲚᲘ",
    "Բոլոր մարդիկ ծնվում են ազատ",
    "ሰው ሁሉ ነጻ ሆኖ ይወለዳል ፩፪፫",
    "我想在apple工作1314151天～ 一二三，你好！「引用」",
    "いろはにほへと ちりぬるを カタカナ ﾊﾝｶｸ 東京都２０２４年 ー々〆",
    "모든 인간은 태어날 때부터 자유로우며 한글 ㄱㄴㄷ",
    "Tiếng Việt có dấu: Nguyễn Thị Thuỳ — được",
    "ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ ꮳꮃꭹ",
    "ᠮᠣᠩᠭᠣᠯ ᠪᠢᠴᠢᠭ ᓄᓇᕗᑦ ᐃᓄᒃᑎᑐᑦ",
    "ⵜⴰⵎⴰⵣⵉⵖⵜ 𐐔𐐯𐑅𐐨𐑉𐐯𐐻 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟘𝟙𝟚 ℌ ℵ",
]

EMOJI = [
    "🚀 (normal) 😶‍🌫️ (multiple emojis concatenated) ✅ 🦙🦙",
    "👩‍👩‍👧‍👦👨🏽‍🚀🏳️‍🌈🏴󠁧󠁢󠁳󠁣󠁴󠁿🇩🇪🇯🇵1️⃣ #️⃣ ❤️‍🔥❤",
    "text😀text 😀 text😀😀\n😀",
    "🫠🫱🏿‍🫲🏻🪿",
]

MARKS = [
    "e\u0301 a\u0308 n\u0303 o\u0302\u0323 \u0301alone  \u0301after space",
    "Z\u0351\u036b\u0343a\u0309\u030d\u034el\u0342\u0307g\u0306\u0310o\u0313 zalgo",
    "A\u030angstro\u0308m \u212bngstr\u00f6m \u2126 \u212a \ufb01ne \u1e9b\u0323 \uac00\u11a8 \u1100\u1161",
    "x\u0338 >\u0338 =\u0338 \u0915\u093c \u09c7\u09be \u0b47\u0b56",
    "\u0130 \u0131 \u017f \u00df \u1e9e \u01c5 \u02bc 'ſ 'K",
]

SPACES = [
    "", " ", "  ", "   ", "\t", "\n", "\n\n", "\n\n\n", "\r\n", "\r", " \n", "\n ", "\t\n", "\n \n\n \n\n\n \t \t\t \t\n  \n   \n    \n     \n",
    "a b", "a  b", "a   b", " a", "  a", "a ", "a  ", "a\tb", "a\n\nb", "a \n b", " a b ", "\na\n",
    "x" + " " * 17 + "y" + " " * 64 + "z" + " " * 129,
    "line one  \n\n    indented\n\tTabbed\r\n\r\nDOS line\r\nold Mac\rend",
    "a\u00a0b\u2003c\u3000d\u200be\u2028f\u2029g\u0085h\u202fi\u205fj\u1680k\ufeffl\u180em",
    "\u00a0\u00a0x \u3000 y\u2003\u2003",
    "\x0b\x0c x\x1c\x1d\x1e\x1f y",
    "\u2581 \u2581\u2581a a\u2581b \u2581\n\u2581",
]

CONTROLS = [
    "\x01\x02\x03\x1b[31mred\x1b[0m\x7f\x80\x9f",
    "nul:\x00:nul",
    "\u202eright to left\u202c \u2066iso\u2069 \u00adsoft \u200d\u200c",
    "\ufffd \ufffe \uffff \U0010ffff \ue000 \U000f0000",
]

CODE = [
    "def f(x: int) -> str:\n    return f\"{x!r:>10}\"  # comment\n\n\nclass A(B):\n\tpass\n",
    "for (int i = 0; i < n; ++i) { sum += a[i] * b[i]; }  // O(n)\n#include <vector>\n",
    "SELECT * FROM t WHERE a <> 'it''s' AND b != \"x\" -- note\n",
    "{\"key\": [1, 2.5e-10, null, true], \"nested\": {\"a\": \"\\u00e9\\n\"}}",
    "<html><body class=\"a b\">&amp;&lt;p&gt;</body></html>",
    "$ curl -fsSL https://example.org/a?b=c&d=%20 | sh && echo $HOME",
    "getHTTPResponseCode XMLHttpRequest snake_case_name kebab-case SCREAMING_CASE camelCase2Go",
    "a+b=c; x**2 //= 3 %= 4 <<= 5 != ... --- === *** ``` ~~~ ___ ^^^ |||",
    "\\frac{1}{2} \\sum_{i=0}^{\\infty} $x^2$ ∀x∈ℝ: ⌈x⌉ = −⌊−x⌋ ≠ ∅ √2 ≈ 1.414 → ∞",
]

NUMBERS = [
    "3 33 333 3333 33333 333333 3333333 33333333 333333333 3.3 3..3 3...3",
    "1,234,567.89 0x1F 1e10 10% $100 №5 ½ ⅔ ² ³ ① Ⅻ ٣ ३ 〇 七",
    "12ab34cd5 a1b22c333d4444 v1.2.3-rc4 2024-02-29T23:59:60Z +49 (0)30/12345-67",
]

APOSTROPHES = [
    "''''''```````\"\"\"\"......!!!!!!?????? I've been 'told he's there, 'RE you sure? 'M not sure I'll make it, 'D you like some tea? We'Ve a'lL",
    "it's It'S IT'S don't DON'T we'Ll 'tis '90s rock'n'roll O'Neil 's 't 're 've 'm 'll 'd ' s",
    "I’m you’re ‘quoted’ “double” – en — em … «guillemets» ‹x›",
    "x's's'tt'ree 'llama 'delta 'sam l'm",
]

SPECIALS = [
    "<s>hello</s>", "<unk>", " <s> ", "a<s>b</s>c<unk>d", "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>", "<|endoftext|>", "x<|endoftext|>y <|endoftext|> z",
    "[INST] hi [/INST]", "<tool_call>{\"name\": \"f\"}</tool_call>", "<|im_start", "|im_end|>", "<<s>>", "<|im_end|><|im_end|>",
    "<0x41><0x0A>", "\u2581<s>", "<|endoftext|>\u0338\u0301", "<|endoftext|>  two spaces", "two spaces  <|endoftext|>",
    "<think>\nhm\n</think>\n\nAnswer", "<mask>", "t0000", "[PAD5]", "<pad>",
]

LONG = [
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "abababababababababababababababababababab banana bananana",
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis",
    "ha" * 100 + "!" * 100 + "\n" * 33,
    "= " * 50 + "=" * 51 + "-" * 70 + "_" * 33 + "\t" * 9,
]


def drawn(rng):
    """Random strings: from everything, and from the characters that regular expressions care about."""
    awkward = " \t\n\r'\"’.,!?-_=<>|()[]{}/\\0123456789abcstmdlrveABCSTMDLRVEéÉßñжЖωΩשع中の한๑१²½Ⅷ€+^`~$#@&*\u00a0\u2003\u3000\u0301\u0308\u200d\u200b\u0e31\u093e🙂🏽"
    out = []
    for length in (3, 5, 8, 13, 21, 34, 55):
        for _ in range(8):
            out.append("".join(rng.choice(awkward) for _ in range(length)))
    for first, last, length, count in ((0x20, 0x3000, 24, 24), (0x20, 0x20000, 60, 12), (0x20, 0x110000, 60, 4)):
        points = [c for c in range(first, last) if is_known(chr(c))]
        out += ["".join(chr(rng.choice(points)) for _ in range(length)) for _ in range(count)]
    return out


def is_known(char):
    """Later versions of Unicode assign more characters, and libraries differ in their version."""
    return unicodedata.category(char) not in ("Cn", "Cs")


def texts():
    rng = random.Random(20261123)
    groups = [SCRIPTS, EMOJI, MARKS, SPACES, CONTROLS, CODE, NUMBERS, APOSTROPHES, SPECIALS, LONG, drawn(rng)]
    return [text for group in groups for text in group]


if __name__ == "__main__":
    assert unicodedata.unidata_version == "14.0.0", "another Python would draw other characters"
    json.dump(texts(), sys.stdout, indent=0, ensure_ascii=True)
    print()
