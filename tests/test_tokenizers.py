"""Ids and texts are those of Hugging Face's `tokenizers`, for every kind of tokenizer that from_hf.h names.

Small tokenizers of each kind are trained on the corpus, written as a Hugging Face folder and compared text by text.
"""

import functools
import json
import os
import pathlib
import random
import subprocess
import unicodedata

import gguf
import pytest
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors, trainers
from tokenizers import models as tokenizer_models

from conftest import BUILD
from models import LLAMA3, QWEN2

CORPUS = json.loads((pathlib.Path(__file__).parent / "vectors/tokenizer/corpus.json").read_text())
CONTROL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|begin_of_text|>", "<|eot_id|>", "<|channel|>"]
# The last one overlaps control tokens and is longer than they are.
USER_DEFINED = ["<tool_call>", "</tool_call>", "<think>", "</think>", "im_end|><|im_start|>"]
TEXTS = CORPUS + [
    "<|im_end|><|im_start|>", "x<|channel|>y", "</s></s>", "<think>e\u0301</think>\u0301", "a <|eot_id|> b", "<|im_<|im_end|>",
]
DEEPSEEK3 = [
    r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*"
    "|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"]


def split(*expressions):
    steps = [pre_tokenizers.Split(Regex(e), "isolated") for e in expressions]
    return pre_tokenizers.Sequence([*steps, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def add_tokens(tokenizer):
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in CONTROL])
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in USER_DEFINED])


def byte_level(pre_tokenizer, normalizer=None, ignore_merges=False):
    tokenizer = Tokenizer(tokenizer_models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    # "</s>" is an ordinary word here, as it is in Qwen 3.
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=1200, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    add_tokens(tokenizer)
    return tokenizer


def all_merges(tokens):
    """The merges that make `tokens`, in their order, from any two: as transformers converts a SentencePiece model."""
    known = set(tokens)
    return [(t[:i], t[i:]) for t in tokens for i in range(1, len(t)) if t[:i] in known and t[i:] in known]


def byte_fallback(pre_tokenizer=None, normalizer=None):
    training = Tokenizer(tokenizer_models.BPE())
    training.pre_tokenizer = pre_tokenizers.Metaspace()
    # A control token that merges make as well is the one thing that is refused to text here and not there.
    texts = [t for t in CORPUS if not any(c in t for c in CONTROL)]
    training.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=1500, limit_alphabet=300, show_progress=False))
    special = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256))]
    words = [t for t, _ in sorted(training.get_vocab().items(), key=lambda item: item[1]) if t not in special]
    tokens = special + words
    vocabulary = {t: i for i, t in enumerate(tokens)}
    tokenizer = Tokenizer(tokenizer_models.BPE(vocabulary, all_merges(words), unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    begins_with_space = pre_tokenizer is None or pre_tokenizer.prepend_scheme != "never"
    strip = [decoders.Strip(" ", 1, 0)] if begins_with_space else []
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *strip])
    tokenizer.add_special_tokens([AddedToken("<unk>", special=True, normalized=False)])
    add_tokens(tokenizer)
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", "<s> $A $B", [("<s>", 1)])
    return tokenizer


def metaspace(scheme):
    return pre_tokenizers.Metaspace("▁", prepend_scheme=scheme, split=False)


KINDS = {
    "llama-3": lambda: byte_level(split(LLAMA3), ignore_merges=True),
    "dbrx": lambda: byte_level(split(LLAMA3)),
    "qwen2": lambda: byte_level(split(QWEN2), normalizers.NFC()),
    "gpt-2": lambda: byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "smollm": lambda: byte_level(pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])),
    "deepseek-v3": lambda: byte_level(split(*DEEPSEEK3)),
    "metaspace-first": lambda: byte_fallback(metaspace("first")),
    "metaspace-always": lambda: byte_fallback(metaspace("always")),
    "metaspace-never": lambda: byte_fallback(metaspace("never")),
    "prepend": lambda: byte_fallback(normalizer=normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])),
}


def boundaries(pre_tokenizer):
    """A tokenizer whose ids tell whether a character stands in one word with an "a" before or behind it."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printable]
    names = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}
    merges = [(names[b], "a") for b in range(0x80, 0xC0)] + [("a", names[b]) for b in range(0xC2, 0xF5)]
    tokens = [names[b] for b in range(256)] + [left + right for left, right in merges]
    tokenizer = Tokenizer(tokenizer_models.BPE({t: i for i, t in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizer
    return tokenizer


class Ours:
    """The same tokenizer through from_hf and Vocabulary."""

    def __init__(self, folder, n_vocab):
        self.command = [str(BUILD / "isoveil/tokenizer/isoveil_tokenize"), str(folder), str(n_vocab)]

    def ask(self, requests):
        lines = "".join(json.dumps(r) + "\n" for r in requests)
        done = subprocess.run(self.command, input=lines, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.split("\n")[:-1]]


@pytest.fixture(scope="module", params=KINDS)
def pair(request, tmp_path_factory):
    tokenizer = KINDS[request.param]()
    folder = tmp_path_factory.mktemp(request.param)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "eos_token": "<|im_end|>"}))
    # A table is often larger than the tokenizer.
    return tokenizer, Ours(folder, tokenizer.get_vocab_size() + 7)


def differences(texts, expected, found):
    assert len(expected) == len(found) == len(texts)
    return [(t, e, f) for t, e, f in zip(texts, expected, found) if e != f]


@pytest.mark.parametrize("add_special", [False, True])
@pytest.mark.parametrize("parse_special", [False, True])
def test_ids(pair, add_special, parse_special):
    tokenizer, ours = pair
    tokenizer.encode_special_tokens = not parse_special
    expected = [e.ids for e in tokenizer.encode_batch(TEXTS, add_special_tokens=add_special)]
    found = ours.ask({"text": t, "add_special": add_special, "parse_special": parse_special} for t in TEXTS)
    assert differences(TEXTS, expected, found) == []


@pytest.mark.parametrize("special", [False, True])
def test_texts(pair, special):
    tokenizer, ours = pair
    tokenizer.encode_special_tokens = False
    rng = random.Random(1)
    ids = [e.ids for e in tokenizer.encode_batch(TEXTS)]
    ids += [[rng.randrange(tokenizer.get_vocab_size()) for _ in range(12)] for _ in range(300)]
    expected = tokenizer.decode_batch(ids, skip_special_tokens=not special)
    # What is no UTF-8 is replaced in another way: one mark for each byte there.
    cases = [(i, e) for i, e in zip(ids, expected) if "\ufffd" not in e]
    assert len(cases) > len(TEXTS) - 10
    found = ours.ask({"ids": i, "special": special} for i, _ in cases)
    assert differences([i for i, _ in cases], [e for _, e in cases], found) == []


def test_every_id_has_its_text(pair):
    tokenizer, ours = pair
    ids = [i for i in range(tokenizer.get_vocab_size())]
    expected = tokenizer.decode_batch([[i] for i in ids], skip_special_tokens=True)
    found = ours.ask({"ids": [i]} for i in ids)
    assert [d for d in differences(ids, expected, found) if "\ufffd" not in d[1]] == []
    # Unused rows of the table show nothing.
    assert ours.ask([{"ids": [tokenizer.get_vocab_size() + 3], "special": True}]) == [""]


@pytest.mark.parametrize("expressions", [[QWEN2], DEEPSEEK3], ids=["qwen2", "deepseek-v3"])
def test_characters_are_of_the_same_class(expressions, tmp_path):
    """All characters that Unicode 14 assigns were compared once; here every 29th of them."""
    tokenizer = boundaries(split(*expressions))
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    points = [c for c in range(0x80, 0x110000) if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co")][::29]
    texts = [t for c in points for t in (chr(c) + "a", "a" + chr(c))]
    expected = [e.ids for e in tokenizer.encode_batch(texts)]
    found = Ours(tmp_path, tokenizer.get_vocab_size()).ask({"text": t} for t in texts)
    assert differences(texts, expected, found) == []


def test_text_never_becomes_a_control_token(pair):
    tokenizer, ours = pair
    control = {tokenizer.token_to_id(t) for t in CONTROL}
    assert None not in control
    for ids in ours.ask({"text": t} for t in [*CONTROL, *TEXTS, "".join(CONTROL)]):
        assert not control.intersection(ids)


# The 32,000 pieces of Llama 2, as transformers has converted them at one time or another.

PREFIX = pathlib.Path(os.environ.get("ISOVEIL_LLAMA_PREFIX", os.path.expanduser("~/.cache/isoveil/llama.cpp-0.5.0")))
LLAMA = PREFIX / "models/ggml-vocab-llama-spm.gguf"
SCHEMES = {"legacy": None, "first": "first", "always": "always"}


@functools.cache
def llama_pieces():
    reader = gguf.GGUFReader(LLAMA)
    field = lambda name: reader.fields["tokenizer.ggml." + name]
    texts = [bytes(field("tokens").parts[i]).decode() for i in field("tokens").data]
    scores = [float(field("scores").parts[i][0]) for i in field("scores").data]
    types = [int(field("token_type").parts[i][0]) for i in field("token_type").data]
    return texts, scores, types


@functools.cache
def llama_merges(order):
    texts, scores, _ = llama_pieces()
    ids = {text: i for i, text in enumerate(texts)}
    merges = [(text[:i], text[i:], score) for text, score in zip(texts, scores)
              for i in range(1, len(text)) if text[:i] in ids and text[i:] in ids]
    if order == "by token":  # until 2023
        merges.sort(key=lambda m: (-m[2], ids[m[0]], ids[m[1]]))
    else:  # since 2024: merges of equal score by length, those of different tokens mixed
        merges.sort(key=lambda m: (m[2], len(m[0]), len(m[1])), reverse=True)
    return [(left, right) for left, right, _ in merges]


def llama_tokenizer(order, scheme):
    texts, _, types = llama_pieces()
    vocabulary = {text: i for i, text in enumerate(texts)}
    tokenizer = Tokenizer(tokenizer_models.BPE(
        vocabulary, llama_merges(order), unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    if scheme is None:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        tokenizer.pre_tokenizer = metaspace(scheme)
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in ["<unk>", "<s>", "</s>", *CONTROL]])
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in USER_DEFINED])
    # Phi-3's strip to the right, RoBERTa's mask to the left.
    tokenizer.add_special_tokens([AddedToken("<|assistant|>", special=True, normalized=False, rstrip=True),
                                  AddedToken("<mask>", special=True, normalized=False, lstrip=True)])
    return tokenizer


def llama_texts():
    rng = random.Random(8)
    pieces = [t.replace("▁", " ") for t in llama_pieces()[0][259:]]
    runs = [c * n for c in " \n\t=-#*_.a" for n in [*range(1, 40), 63, 64, 65, 100, 257]]
    mixed = ["".join(rng.choice([*runs[:60], *rng.choices(pieces, k=40)]) for _ in range(rng.randrange(1, 30))) for _ in range(1500)]
    strips = ["a <|assistant|>\n\u00a0\u3000 b", "x \n <mask> y", "<|assistant|> <mask>", "<|assistant|>", " <mask>", "\u2028<mask>\u2028",
              "<|assistant|>  <|im_end|> <|assistant|>\n\n", "<s> <mask></s>"]
    return TEXTS + runs + mixed + strips


@pytest.mark.parametrize("spelling", ["pairs", "strings"])
@pytest.mark.parametrize("order", ["by token", "by length"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_converted_sentence_piece(tmp_path, order, scheme, spelling):
    tokenizer = llama_tokenizer(order, SCHEMES[scheme])
    written = json.loads(tokenizer.to_str())
    written["model"]["merges"] = [m if spelling == "pairs" else " ".join(m) for m in llama_merges(order)]
    (tmp_path / "tokenizer.json").write_text(json.dumps(written))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "eos_token": "</s>"}))
    texts = llama_texts()
    expected = [e.ids for e in tokenizer.encode_batch(texts, add_special_tokens=False)]
    # Text that merges to a control token is the one thing that stays text here.
    found = Ours(tmp_path, tokenizer.get_vocab_size()).ask({"text": t, "parse_special": True} for t in texts)
    assert differences(texts, expected, found) == []


def test_long_texts_of_a_converted_sentence_piece(tmp_path):
    """200,000 new lines took five seconds."""
    tokenizer = llama_tokenizer("by length", None)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    texts = ["\n" * 200_000, " " * 200_000, "a" * 200_000, " the quick\n" * 20_000]
    expected = [e.ids for e in tokenizer.encode_batch(texts, add_special_tokens=False)]
    found = Ours(tmp_path, tokenizer.get_vocab_size()).ask({"text": t} for t in texts)
    assert [e == f for e, f in zip(expected, found)] == [True] * len(texts)
