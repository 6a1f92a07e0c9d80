"""WordPiece gives the ids, types and texts of Hugging Face's `tokenizers`: cased and not, with and without accents, from
tokenizer.json and from vocab.txt, one text and two."""

import json
import random
import unicodedata

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, normalizers, pre_tokenizers, processors, trainers
from tokenizers import models as tokenizer_models
from transformers import BertTokenizerFast, MPNetTokenizerFast

from test_tokenizers import CORPUS, Ours, differences

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ASSIGNED = [c for c in range(1, 0x110000) if unicodedata.category(chr(c)) not in ("Cn", "Cs")]
TEXTS = CORPUS + [
    "[CLS] a [MASK]b[SEP]", "[MASK] [UNK]", "x [unused1] tool_call y", "  tool_call ", "\u0130stanbul \u0130", "o\u0323\u0302 \u0302\u0323o \u1ed9 \u00c5\u212b",
    "\u4e2d\u6587 a\u4e2db \U00020000\U0002b820\U0002b920", "a\u0000b\ufffdc\u200bd\u00ade\u0085f\u2028g\u000bh", "\u00df\u1e9e \u03a3\u03c2 \ufb01 \u01c5",
    "don't ##x #y can\u2019t \u00bfqu\u00e9? \u166d \u2e43 \u1734", "x" * 99, "x" * 100, "x" * 101, "\u00e9" * 100, "e\u0301" * 60, "\U0001f469\u200d\U0001f680", "\u2581 \u2581a a\u2581",
]
NORMALIZERS = {
    "uncased": dict(lowercase=True), "cased": dict(lowercase=False), "accents": dict(lowercase=True, strip_accents=False),
    "bare": dict(lowercase=False, strip_accents=True), "raw": dict(clean_text=False, handle_chinese_chars=False, lowercase=False),
}


def word_piece(**options):
    tokenizer = Tokenizer(tokenizer_models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(**options)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    # Two tokens that are the same up to a zero byte are refused: no vocabulary of BERT has one with it.
    tokenizer.train_from_iterator([t.replace("\0", "") for t in CORPUS], trainers.WordPieceTrainer(
        vocab_size=1500, special_tokens=SPECIAL, initial_alphabet=list("abcdefghijklmnopqrstuvwxyz#\u2581\u0301\u4e2d"), show_progress=False))
    tokenizer.add_special_tokens([AddedToken("[unused1]", special=True, normalized=False, lstrip=True)])
    tokenizer.add_tokens([AddedToken("tool_call", normalized=False, rstrip=True)])
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    return tokenizer


def bert(tokenizer):
    cls, sep = ((t, tokenizer.token_to_id(t)) for t in ("[CLS]", "[SEP]"))
    return processors.BertProcessing(sep, cls)


def template(tokenizer):
    return processors.TemplateProcessing("[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
                                         [(t, tokenizer.token_to_id(t)) for t in ("[CLS]", "[SEP]")])


def roberta(tokenizer):
    cls, sep = ((t, tokenizer.token_to_id(t)) for t in ("[CLS]", "[SEP]"))
    return processors.RobertaProcessing(sep, cls)


PROCESSORS = {"uncased": bert, "cased": template, "accents": roberta, "bare": bert, "raw": lambda t: None}


@pytest.fixture(scope="module", params=NORMALIZERS)
def pair(request, tmp_path_factory):
    tokenizer = word_piece(**NORMALIZERS[request.param])
    processor = PROCESSORS[request.param](tokenizer)
    if processor is not None:
        tokenizer.post_processor = processor
    folder = tmp_path_factory.mktemp(request.param)
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer, Ours(folder, tokenizer.get_vocab_size() + 3)


@pytest.mark.parametrize("add_special", [False, True])
@pytest.mark.parametrize("parse_special", [False, True])
def test_ids(pair, add_special, parse_special):
    tokenizer, ours = pair
    tokenizer.encode_special_tokens = not parse_special
    expected = [e.ids for e in tokenizer.encode_batch(TEXTS, add_special_tokens=add_special)]
    found = ours.ask({"text": t, "add_special": add_special, "parse_special": parse_special} for t in TEXTS)
    assert differences(TEXTS, expected, found) == []


@pytest.mark.parametrize("add_special", [False, True])
def test_pairs(pair, add_special):
    tokenizer, ours = pair
    tokenizer.encode_special_tokens = False
    pairs = list(zip(TEXTS, reversed(TEXTS)))
    expected = [[e.ids, e.type_ids] for e in tokenizer.encode_batch(pairs, add_special_tokens=add_special)]
    found = ours.ask({"text": a, "pair": b, "add_special": add_special, "parse_special": True} for a, b in pairs)
    assert differences(pairs, expected, found) == []


@pytest.mark.parametrize("special", [False, True])
def test_texts(pair, special):
    tokenizer, ours = pair
    rng = random.Random(1)
    prefix = [i for t, i in tokenizer.get_vocab().items() if not t.startswith("##")]
    # A text that begins with a continuation shows its prefix there, and only there.
    ids = [[rng.choice(prefix)] + [rng.randrange(tokenizer.get_vocab_size()) for _ in range(12)] for _ in range(400)]
    expected = tokenizer.decode_batch(ids, skip_special_tokens=not special)
    cases = [(i, e) for i, e in zip(ids, expected) if not e.startswith("##")]
    found = ours.ask({"ids": i, "special": special} for i, _ in cases)
    assert differences([i for i, _ in cases], [e for _, e in cases], found) == []


def test_every_character(pair):
    """One by one, between letters, and among combining characters."""
    tokenizer, ours = pair
    tokenizer.encode_special_tokens = False
    rng = random.Random(2)
    few = [chr(c) for c in ASSIGNED if c < 0xE000 and not 0x4E00 <= c < 0xA000 and not 0xAC00 <= c < 0xD800]
    marks = [c for c in few if unicodedata.combining(c) and c != "\u1df6"]
    texts = ["a" + c + "b" for c in few]
    texts += ["".join(rng.choice(marks if rng.random() < 0.5 else few) for _ in range(8)) for _ in range(3000)]
    expected = [e.ids for e in tokenizer.encode_batch(texts)]
    assert differences(texts, expected, ours.ask({"text": t, "add_special": True} for t in texts)) == []


@pytest.mark.parametrize("config", [
    {}, {"do_lower_case": False}, {"do_lower_case": True, "strip_accents": False, "tokenize_chinese_chars": False, "tokenizer_class": "BertTokenizer"},
], ids=["default", "cased", "accents"])
def test_a_folder_with_vocab_txt(config, tmp_path):
    vocabulary = word_piece(lowercase=config.get("do_lower_case", True)).get_vocab()
    lines = [t for t, _ in sorted(vocabulary.items(), key=lambda item: item[1])]
    (tmp_path / "vocab.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    reference = BertTokenizerFast(str(tmp_path / "vocab.txt"), **{"do_lower_case": True, **config})
    expected = [reference.backend_tokenizer.encode(t, p) for t, p in zip(TEXTS, reversed(TEXTS))]
    found = Ours(tmp_path, len(lines)).ask(
        {"text": t, "pair": p, "add_special": True, "parse_special": True} for t, p in zip(TEXTS, reversed(TEXTS)))
    assert differences(TEXTS, [[e.ids, e.type_ids] for e in expected], found) == []


@pytest.mark.parametrize("config", [
    {}, {"do_lower_case": False}, {"strip_accents": False, "mask_token": {"__type": "AddedToken", "content": "<mask>", "lstrip": False, "rstrip": True, "normalized": False, "single_word": False}},
], ids=["default", "cased", "mask"])
def test_a_folder_of_mpnet_with_vocab_txt(config, tmp_path):
    """BERT's tokens in RoBERTa's frame"""
    vocabulary = word_piece(lowercase=config.get("do_lower_case", True)).get_vocab()
    named = {"[PAD]": "<pad>", "[CLS]": "<s>", "[SEP]": "</s>", "[MASK]": "<mask>"}
    lines = [named.get(t, t) for t, _ in sorted(vocabulary.items(), key=lambda item: item[1])]
    (tmp_path / "vocab.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "MPNetTokenizer", **config}))
    reference = MPNetTokenizerFast.from_pretrained(tmp_path)
    texts = TEXTS + ["a  <mask>  b<mask>c", "<s> x </s> <pad>y", "[CLS] [UNK] <unk>"]
    pairs = list(zip(texts, reversed(texts)))
    expected = [reference.backend_tokenizer.encode(t, p) for t, p in pairs]
    ours = Ours(tmp_path, len(lines))
    found = ours.ask({"text": t, "pair": p, "add_special": True, "parse_special": True} for t, p in pairs)
    assert differences(pairs, [[e.ids, e.type_ids] for e in expected], found) == []
    expected = [reference.backend_tokenizer.encode(t).ids for t in texts]
    assert differences(texts, expected, ours.ask({"text": t, "add_special": True, "parse_special": True} for t in texts)) == []


def test_mpnet_with_other_ends_is_refused(tmp_path):
    """whose begin and end are tokens besides those that frame texts"""
    (tmp_path / "vocab.txt").write_text("\n".join(["<s>", "<pad>", "</s>", "[UNK]", "<mask>", "<e>", "a"]))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "MPNetTokenizer", "eos_token": "<e>"}))
    with pytest.raises(AssertionError, match="eos_token"):
        Ours(tmp_path, 7).ask([{"text": "a"}])
