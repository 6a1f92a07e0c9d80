"""`isoveil tokenizer export`: AutoTokenizer on the exported folder gives the encrypted ids of the plain tokenizer's, and
takes them back to text."""

import json
import os
import stat
import subprocess

import pytest

import families
import models
from conftest import Runner
from test_tokenizers import CORPUS
from test_unigram import make as make_unigram
from test_word_piece import SPECIAL, template, word_piece

transformers = pytest.importorskip("transformers")
TEXTS = ["Hello, w\u00f6rld!", " two  spaces", "\u65e5\u672c\u8a9e and \U0001f680", "", "a[MASK]b", *CORPUS[:60]]


def with_word_piece(folder, kind):
    """the folder with BERT's tokenizer in place of its own"""
    if kind == "unigram":
        with_unigram("xlm-r", folder)
        return
    tokenizer = word_piece(lowercase=True)
    tokenizer.post_processor = template(tokenizer)
    config = {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "sep", "pad", "cls", "mask")}
    (folder / "tokenizer.json").unlink()
    if kind in ("vocab.txt", "mpnet"):
        names = dict(zip(SPECIAL, ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"])) if kind == "mpnet" else {}  # its padding has id 1
        vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
        (folder / "vocab.txt").write_text("".join(names.get(t, t) + "\n" for t, _ in vocabulary))
        config = {"tokenizer_class": "MPNetTokenizer" if kind == "mpnet" else "BertTokenizer"}
    else:
        tokenizer.save(str(folder / "tokenizer.json"))
        config |= {"tokenizer_class": "PreTrainedTokenizerFast", "added_tokens_decoder": {
            str(tokenizer.token_to_id(t)): {"content": t, "special": True, "normalized": False, "lstrip": False, "rstrip": False, "single_word": False}
            for t in SPECIAL}}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def with_unigram(kind, folder):
    """the folder with XLM-RoBERTa's tokenizer"""
    make_unigram(kind, folder).save(str(folder / "tokenizer.json"))
    (folder / "sentencepiece.model").unlink()
    names = {"bos": "<s>", "eos": "</s>", "unk": "<unk>", "sep": "</s>", "pad": "<pad>", "cls": "<s>", "mask": "<mask>"}
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **{f"{k}_token": v for k, v in names.items()}}))


SOURCES = {"distilbert-labels": "vocab.txt", "mpnet-labels": "mpnet", "roberta-labels": "tokenizer.json", "olmo": None, "xlm-roberta": "unigram"}


@pytest.fixture(scope="module", params=SOURCES)
def exported(request, runner, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "source"
    families.make(request.param, folder)
    if SOURCES[request.param] is not None:
        make_room(folder, 5000)
        with_word_piece(folder, SOURCES[request.param])
    out, written = folder.parent / "out", folder.parent / "tokenizer"
    runner.encrypt(folder, out)
    runner.run("tokenizer", "export", out / "client", "-k", runner.key, "-o", written)
    return folder, out, written


def make_room(folder, rows):
    """more rows of the embedding: a family's model has as many as its own tokenizer has tokens"""
    import numpy as np
    from safetensors.numpy import load_file
    tensors = load_file(folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    (name,) = [n for n, t in tensors.items() if n.endswith("word_embeddings.weight")]
    more = np.random.default_rng(1).normal(0, 0.5, (rows - len(tensors[name]), tensors[name].shape[1]))
    tensors[name] = np.concatenate([tensors[name], more.astype(np.float32)])
    models.write_safetensors(folder / "model.safetensors", tensors, "F32")
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": rows}))


def test_ids_and_texts(exported, runner):
    folder, out, written = exported
    n_vocab = json.loads((folder / "config.json").read_text())["vocab_size"]
    renamed = runner.permutation(out, n_vocab)
    plain, secret = (transformers.AutoTokenizer.from_pretrained(f) for f in (folder, written))
    for text in TEXTS:
        ids = plain(text)["input_ids"]
        assert secret(text)["input_ids"] == [renamed[i] for i in ids]
        for skip in (False, True):
            assert secret.decode([renamed[i] for i in ids], skip_special_tokens=skip) == plain.decode(ids, skip_special_tokens=skip)
    one, two = (t("first text", "second") for t in (plain, secret))
    assert two["input_ids"] == [renamed[i] for i in one["input_ids"]]
    assert {k: v for k, v in two.items() if k != "input_ids"} == {k: v for k, v in one.items() if k != "input_ids"}
    # Unigram's vocabulary is a list: it goes as far as the ids do.
    assert len(secret) == (n_vocab if secret.backend_tokenizer.model.__class__.__name__ == "Unigram" else len(plain))
    for name in ("pad", "bos", "eos", "unk", "cls", "sep", "mask"):
        id = getattr(plain, f"{name}_token_id")
        assert getattr(secret, f"{name}_token_id") == (None if id is None else renamed[id])


def test_the_client_gives_the_same_ids(exported, runner):
    _, out, written = exported
    secret = transformers.AutoTokenizer.from_pretrained(written)
    for text in TEXTS[:5]:
        given = runner.run("tokens", "encrypt", out / "client", "-k", runner.key, "--special", "--parse-special", text=text)["ids"]
        assert given == secret(text)["input_ids"]


IN_FIVE = """
import json, sys, transformers
plain, secret, texts = sys.argv[1], sys.argv[2], json.loads(sys.stdin.read())
said = {"version": transformers.__version__}
for name, folder in (("plain", plain), ("secret", secret)):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ids = [tokenizer(text)["input_ids"] for text in texts]
    said[name] = {"ids": ids, "texts": [[tokenizer.decode(i, skip_special_tokens=skip) for skip in (False, True)] for i in ids],
                  "pair": tokenizer("first text", "second")["input_ids"]}
print(json.dumps(said))
"""


@pytest.mark.skipif(not os.environ.get("ISOVEIL_VLLM"), reason="transformers 5 comes with vLLM: scripts/test --engines installs it")
def test_transformers_5_reads_it(exported, runner):
    folder, out, written = exported
    renamed = runner.permutation(out, json.loads((folder / "config.json").read_text())["vocab_size"])
    done = subprocess.run([os.environ["ISOVEIL_VLLM"], "-c", IN_FIVE, folder, written], input=json.dumps(TEXTS), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["version"].startswith("5.")
    plain, secret = said["plain"], said["secret"]
    assert secret["ids"] == [[renamed[i] for i in ids] for ids in plain["ids"]]
    assert secret["pair"] == [renamed[i] for i in plain["pair"]]
    # Of vocab.txt alone, version 4 takes the spaces before punctuation away and version 5 leaves them; the export is as in 4.
    same = (lambda text: text.replace(" ", "")) if (folder / "vocab.txt").exists() else str
    assert [list(map(same, pair)) for pair in secret["texts"]] == [list(map(same, pair)) for pair in plain["texts"]]


def test_nothing_plain_is_left(exported):
    folder, _, written = exported
    assert {p.name for p in written.iterdir()} <= {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "config.json"}
    assert stat.S_IMODE(written.stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in written.iterdir()} == {0o600}


def test_labels_are_named_in_secret_order(exported):
    torch = pytest.importorskip("torch")
    folder, out, written = exported
    if not (written / "config.json").exists():
        return
    names = {int(i): n for i, n in json.loads((written / "config.json").read_text())["id2label"].items()}
    tokenizers = [transformers.AutoTokenizer.from_pretrained(f) for f in (folder, written)]
    by_name = []
    for where, tokenizer in zip((folder, out / "server"), tokenizers):
        model = transformers.AutoModelForSequenceClassification.from_pretrained(where).eval()
        given = tokenizer("Hello, clinic: the front desk", return_tensors="pt", return_token_type_ids=False)
        with torch.no_grad():
            scores = model(**given).logits[0].double().tolist()
        labels = model.config.id2label if where == folder else names
        by_name.append({labels[i]: s for i, s in enumerate(scores)})
    assert by_name[0].keys() == by_name[1].keys()
    span = max(by_name[0].values()) - min(by_name[0].values())
    assert span > 0.1
    assert max(abs(by_name[0][n] - by_name[1][n]) for n in by_name[0]) < 1e-4 * span


def test_it_says_that_it_is_a_key_and_overwrites_nothing(exported, runner, isoveil, tmp_path):
    _, out, written = exported
    done = runner.call("tokenizer", "export", out / "client", "-k", runner.key, "-o", tmp_path / "t")
    assert done.returncode == 0 and "is a key" in done.stderr
    assert "is there already" in runner.fail(1, "tokenizer", "export", out / "client", "-k", runner.key, "-o", written)
    other = Runner(isoveil, tmp_path / "other.key")
    other.call("keygen", "-o", other.key, "--no-passphrase")
    assert "was encrypted with key" in other.fail(1, "tokenizer", "export", out / "client", "-k", other.key, "-o", tmp_path / "u")
    assert not (tmp_path / "u").exists()
