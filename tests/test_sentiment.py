"""The classifier that the project ships: encrypted, its scores are the plaintext model's, through llama-server and through transformers,
and the two programs that people know run unchanged with the exported tokenizer."""

import contextlib
import json
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest

import models
from conftest import ROOT
from gateway_process import ask, gateway
from real_llama import RealLlama
from test_labels import Labeller, softmax
from vllm_form import CLASSIFY, vllm_form

torch = pytest.importorskip("torch", reason="Debian's python3-torch is not installed")
transformers = pytest.importorskip("transformers")

MODEL = ROOT / "models/sentiment"
LABELS = ["NEGATIVE", "POSITIVE"]
# transformers in fp32; llama.cpp computes GELU by its approximation, of the plaintext model too.
BOUND = {"transformers": 2e-6, "llama": 2e-3}
# In a process of its own: the training of the chat model has modules of the same names.
EXAMINATION = """
import json, random
from evaluate import EXAM_SEED, PARTS
from sentences import sentences
print(json.dumps([(s.text, s.label) for part in PARTS.values() for s in sentences(random.Random(EXAM_SEED), 60, part)]))
"""
PROGRAM = """
import sys
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[2])
for line in sys.stdin:
    inputs = tokenizer(line.strip(), return_tensors="pt")
    with torch.no_grad():
        logits = model(**inputs).logits
    print(logits.argmax().item())
"""


@pytest.fixture(scope="module")
def reviews():
    """60 reviews of each part of the examination, which training never drew"""
    done = subprocess.run([sys.executable, "-c", EXAMINATION], cwd=ROOT / "tools/train/sentiment", capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [types.SimpleNamespace(text=text, label=label) for text, label in json.loads(done.stdout)]


@pytest.fixture(scope="module")
def expected(reviews):
    plain, tokenizer = Labeller(MODEL), models.Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    return np.array([softmax(plain(tokenizer.encode(s.text).ids)) for s in reviews])


@pytest.fixture(scope="module")
def encrypted(runner, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sentiment")
    for profile in ("exact", "rotated"):
        runner.encrypt(MODEL, folder / f"transformers-{profile}", "--profile", profile)
        runner.encrypt(MODEL, folder / f"llama-{profile}", "--profile", profile, "--to", "gguf")
    return folder


@contextlib.contextmanager
def server(engine, out, llama):
    if engine == "transformers":
        with vllm_form(classify=Labeller(out / "server", torch.float32), n_context=128) as (url, _):
            yield url
        return
    served = RealLlama(llama / "llama-server", out / "server/model.gguf", arguments=("--embeddings",))
    try:
        yield served.url
    finally:
        served.close()


@pytest.mark.parametrize("profile", ["exact", "rotated"])
@pytest.mark.parametrize("engine", ["transformers", "llama"])
def test_scores_are_the_plaintext_models(runner, llama, encrypted, reviews, expected, engine, profile, tmp_path):
    out = encrypted / f"{engine}-{profile}"
    with server(engine, out, llama) as url, gateway(runner, out / "client", [url], tmp_path / "log") as g:
        data = ask(g, CLASSIFY, {"input": [s.text for s in reviews]}).json["data"]
    found = np.array([entry["probs"] for entry in data])
    assert np.abs(found - expected).max() < BOUND[engine]
    assert [entry["label"] for entry in data] == [LABELS[i] for i in found.argmax(1)]


def test_it_is_as_good_as_it_is_said_to_be(reviews, expected):
    score = json.loads((MODEL / "score.json").read_text())["accuracy"]
    for i, (part, said) in enumerate(score.items()):
        labels = np.array([s.label for s in reviews[60 * i:60 * (i + 1)]])
        assert (expected[60 * i:60 * (i + 1)].argmax(1) == labels).mean() > said - 0.1, part
    assert sum(f.stat().st_size for f in MODEL.iterdir()) < 6e6


def labels_of(tokenizer, model, texts):
    done = subprocess.run([sys.executable, "-c", PROGRAM, tokenizer, model], input="\n".join(texts), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return [int(line) for line in done.stdout.split()]


@pytest.mark.parametrize("files", ["all", "as old checkpoints have them"])
def test_the_program_that_people_know_runs_unchanged(runner, encrypted, reviews, expected, files, tmp_path):
    """AutoTokenizer with the exported tokenizer, AutoModelForSequenceClassification with the encrypted model."""
    out, source = encrypted / "transformers-exact", MODEL
    if files != "all":
        # A DistilBERT of 2019: vocab.txt alone, and no class named.
        source = tmp_path / "model"
        shutil.copytree(MODEL, source, ignore=shutil.ignore_patterns("tokenizer.json", "special_tokens_map.json"))
        (source / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True, "model_max_length": 128}))
        out = tmp_path / "out"
        runner.encrypt(source, out)
    runner.run("tokenizer", "export", out / "client", "-k", runner.key, "-o", tmp_path / "tokenizer")
    texts = [s.text for s in reviews[:40]]
    secret = labels_of(tmp_path / "tokenizer", out / "server", texts)
    names = json.loads((tmp_path / "tokenizer/config.json").read_text())["id2label"]
    plain = labels_of(source, source, texts)
    assert [names[str(i)] for i in secret] == [LABELS[i] for i in plain]
    assert plain == list(expected[:40].argmax(1))
