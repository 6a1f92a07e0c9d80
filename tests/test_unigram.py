"""Unigram gives the ids and texts of Hugging Face's `tokenizers`: of vocabularies that SentencePiece trained and transformers converted,
with SentencePiece's own table of normalisations, in the forms of XLM-RoBERTa, T5 and ALBERT, old and new."""

import io
import json
import random
import unicodedata

import pytest
import sentencepiece
from tokenizers import Tokenizer, decoders, pre_tokenizers
from transformers import AlbertTokenizerFast, T5TokenizerFast, XLMRobertaTokenizerFast

from test_tokenizers import CORPUS, Ours, differences

ASSIGNED = [c for c in range(1, 0x110000) if unicodedata.category(chr(c)) not in ("Cn", "Cs")]
TEXTS = CORPUS + [
    "", " ", "   ", "a", " a", "a ", "a  b   c", "\u2581", "a\u2581b \u2581c", "<s> a </s>", "a<mask>b <mask>", "<unk><pad>", "``a'' ''b``", "a\tb\nc\r\nd\u00a0e\u3000f",
    "\uff28\uff45\uff4c\uff4c\uff4f \u2460 \u337b \ufb01 \ufdfa", "e\u0301 \u00e9 E\u0301 \u1ed9 o\u0323\u0302", "\u0130stanbul \u03a3\u03c2 \u00df\u1e9e", "\U0001f469\u200d\U0001f680 \U0001f1e9\U0001f1ea \u2764\ufe0f",
    "\ud55c\uad6d\uc5b4 \u1112\u1161\u11ab", "\u4e2d\u6587\u3002\u65e5\u672c", "x" * 500, "\u00e9" * 200, "\u0301" * 50, "a\u200bb\u00adc\ufeffd", "\u0000a", "\ufffd\U0010fffd",
    "\U0001f600\U0001f601 unknown \U00020000\U00020001",
]


def trained(kind, folder):
    model, file = io.BytesIO(), folder / "sentencepiece.model"
    options = dict(byte_fallback=True) if kind == "bytes" else {}
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter([t.replace("\0", "") for t in CORPUS] * 3), model_writer=model, vocab_size=3000, character_coverage=0.98,
                                             model_type="unigram", hard_vocab_limit=False, minloglevel=2, **options)
    file.write_bytes(model.getvalue())
    return str(file)


def newest(kind, folder):
    fast = {"t5": T5TokenizerFast, "albert": AlbertTokenizerFast}.get(kind, XLMRobertaTokenizerFast)
    return fast(vocab_file=trained(kind, folder)).backend_tokenizer


def edited(tokenizer, **parts):
    """the same with other parts of its JSON"""
    return Tokenizer.from_str(json.dumps(json.loads(tokenizer.to_str()) | parts))


def in_old_form(tokenizer):
    """as checkpoints until 2023 have it: the table alone, and words cut at white space"""
    [table] = [step for step in json.loads(tokenizer.to_str())["normalizer"]["normalizers"] if step["type"] == "Precompiled"]
    words = {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": True}]}
    return edited(tokenizer, normalizer=table, pre_tokenizer=words)


def make(kind, folder):
    tokenizer = newest(kind, folder)
    if kind.startswith("old"):
        return in_old_form(tokenizer)
    if kind == "never":
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    if kind == "bare":
        tokenizer = edited(tokenizer, normalizer=None)
    if kind == "bytes":
        tokenizer = edited(tokenizer, model=json.loads(tokenizer.to_str())["model"] | {"byte_fallback": True})
        tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return tokenizer


KINDS = ["xlm-r", "t5", "albert", "old xlm-r", "never", "bare", "bytes"]


@pytest.fixture(scope="module", params=KINDS)
def pair(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param.replace(" ", "-"))
    tokenizer = make(request.param, folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "sentencepiece.model").unlink()
    return tokenizer, Ours(folder, tokenizer.get_vocab_size() + 3)


@pytest.mark.parametrize("add_special", [False, True])
def test_ids(pair, add_special):
    tokenizer, ours = pair
    expected = [e.ids for e in tokenizer.encode_batch(TEXTS, add_special_tokens=add_special)]
    found = ours.ask({"text": t, "add_special": add_special, "parse_special": True} for t in TEXTS)
    assert differences(TEXTS, expected, found) == []


def test_ids_of_random_texts(pair):
    tokenizer, ours = pair
    rng = random.Random(5)
    texts = ["".join(chr(rng.choice(ASSIGNED)) if rng.random() < 0.5 else rng.choice("ab e \u0301\u2581") for _ in range(rng.randint(1, 40))) for _ in range(2000)]
    expected = [e.ids for e in tokenizer.encode_batch(texts, add_special_tokens=False)]
    assert differences(texts, expected, ours.ask({"text": t, "add_special": False, "parse_special": True} for t in texts)) == []


def test_every_character(pair):
    tokenizer, ours = pair
    texts = ["a" + chr(c) + "b" for c in ASSIGNED if c < 0x20000 and not 0x4E00 <= c < 0xA000 and not 0xAC00 <= c < 0xD800 and not 0xE000 <= c < 0xF900]
    expected = [e.ids for e in tokenizer.encode_batch(texts, add_special_tokens=False)]
    assert differences(texts, expected, ours.ask({"text": t, "add_special": False} for t in texts)) == []


@pytest.mark.parametrize("special", [False, True])
def test_texts(pair, special):
    tokenizer, ours = pair
    rng = random.Random(1)
    # Of bytes that are no character there is one U+FFFD each there, and here as few as Unicode recommends.
    known = [id for token, id in tokenizer.get_vocab().items() if not token.startswith("<0x")]
    ids = [[rng.choice(known) for _ in range(12)] for _ in range(400)]
    expected = tokenizer.decode_batch(ids, skip_special_tokens=not special)
    found = ours.ask({"ids": i, "special": special} for i in ids)
    assert differences(ids, expected, found) == []


def test_pairs(pair):
    tokenizer, ours = pair
    pairs = list(zip(TEXTS, reversed(TEXTS)))
    expected = [[e.ids, e.type_ids] for e in tokenizer.encode_batch(pairs)]
    found = ours.ask({"text": a, "pair": b, "add_special": True, "parse_special": True} for a, b in pairs)
    assert differences(pairs, expected, found) == []


def test_control_tokens_stay_text_unless_they_are_parsed(pair):
    tokenizer, ours = pair
    special = {id: t.content for id, t in tokenizer.get_added_tokens_decoder().items() if t.content != "<unk>"}
    [ids] = ours.ask([{"text": " ".join(special.values()), "add_special": False, "parse_special": False}])
    assert len(special) > 3 and not special.keys() & set(ids)
