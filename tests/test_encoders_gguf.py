"""Encoders in GGUF, under a stock llama-server: the decrypted vectors are those that it gives for the plaintext GGUF, and heads, which
stay with the client, make the plaintext model's labels of them."""

import contextlib
import json
import shutil
import urllib.request

import gguf
import numpy as np
import pytest

import families
import models
from real_llama import RealLlama

torch = pytest.importorskip("torch", reason="Debian's python3-torch is not installed")
transformers = pytest.importorskip("transformers")

MODELS = ["bert-labels", "roberta", "roberta-masked", "roberta-labels", "xlm-roberta-reranker", "distilbert-labels", "electra", "electra-wide-labels"]
LENGTHS = (1, 7, 30, 50)
# By the range of the vectors: of most of their numbers, and of all. llama.cpp rounds what GELU is taken of to fp16 and looks it up:
# where sums in another order fall on another side of a step, a vector moves by what a step (2^-11) of one coordinate makes of it.
BOUND, BOUND_OF_A_STEP = 5e-6, 3e-4
# llama.cpp computes GELU by its approximation, transformers what the configuration says.
OF_GELU = 1e-3


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = {}

    def make(name):
        if name not in made:
            made[name] = families.make(name, tmp_path_factory.mktemp("encoders") / name)
        return made[name]
    return make


@contextlib.contextmanager
def server(llama, model, *arguments):
    served = RealLlama(llama / "llama-server", model, arguments=("--embeddings", *arguments))
    try:
        yield served
    finally:
        served.close()


def pooled(served, rows):
    body = json.dumps({"content": [list(map(int, row)) for row in rows], "embd_normalize": -1}).encode()
    request = urllib.request.Request(served.url + "/embedding", body, {"Content-Type": "application/json"})
    return np.array([entry["embedding"][0] for entry in json.loads(urllib.request.urlopen(request, timeout=60).read())])


def some_rows(folder):
    """Rows of plain ids; none below the id of padding, where a position would not count."""
    vocab = json.loads((folder / "config.json").read_text())["vocab_size"]
    rng = np.random.default_rng(1)
    return [rng.integers(8, vocab - 6, n).tolist() for n in LENGTHS]


def assert_same(found, expected):
    difference, span = np.abs(found - expected), np.ptp(expected)
    assert np.median(difference) < BOUND * span and difference.max() < BOUND_OF_A_STEP * span


def in_transformers(name, folder, rows):
    """(last hidden state of the first token, labels or nothing)"""
    model = getattr(transformers, families.ENCODERS[name][0]).from_pretrained(folder).eval()
    body = getattr(model, model.base_model_prefix, model)
    with torch.no_grad():
        first = [body(torch.tensor([row])).last_hidden_state[0, 0].numpy() for row in rows]
        labels = [model(torch.tensor([row])).logits[0].numpy() for row in rows] if families.ENCODERS[name][2] == "labels" else []
    return np.array(first), np.array(labels)


@pytest.mark.parametrize("profile", ["exact", "rotated"])
@pytest.mark.parametrize("name", MODELS)
def test_vectors_are_those_of_the_plaintext_model(runner, llama, folders, name, profile, tmp_path):
    folder = folders(name)
    runner.encrypt(folder, tmp_path / "out", "--to", "gguf", "--profile", profile)
    runner.run("convert", folder, "-o", tmp_path / "plain")
    rows = some_rows(folder)
    permutation = np.array(runner.permutation(tmp_path / "out", json.loads((folder / "config.json").read_text())["vocab_size"]))
    with server(llama, tmp_path / "plain/model.gguf", "--pooling", "cls") as plain:
        expected = pooled(plain, rows)
    with server(llama, tmp_path / "out/server/model.gguf", "--pooling", "cls") as veiled:
        found = pooled(veiled, [permutation[row] for row in rows])
    vectors = np.array(runner.run("vectors", tmp_path / "out/client", "-k", runner.key, "--output", "last_hidden_state",
                                  text=json.dumps(found.tolist()))["vectors"])
    span = np.ptp(expected)
    assert span > 0.5, "the model is too flat to tell anything"
    assert_same(vectors, expected)
    assert np.abs(found - expected).max() > 0.1 * span, "the server sees the plain vectors"
    assert np.abs(expected - in_transformers(name, folder, rows)[0]).max() < OF_GELU * span


@pytest.mark.parametrize("name", ["bert-labels", "roberta-labels", "electra-wide-labels", "distilbert-labels"])
def test_nothing_of_a_head_is_on_the_server(runner, folders, name, tmp_path):
    folder = folders(name)
    runner.encrypt(folder, tmp_path / "out", "--to", "gguf")
    tensors = gguf.GGUFReader(tmp_path / "out/server/model.gguf").tensors
    assert not any("cls" in tensor.name or "pool" in tensor.name or "classif" in tensor.name for tensor in tensors)
    head = models.read_safetensors(tmp_path / "out/client/head.safetensors")
    assert "classifier.weight" in head and head["classifier.weight"][0].shape[0] == 3
    text = json.dumps(json.loads((tmp_path / "out/client/manifest.json").read_text()))
    assert '"names": ["calm", "glad", "sad"]' in text
    for file in (tmp_path / "out/server").iterdir():
        assert b"glad" not in file.read_bytes()


@pytest.mark.parametrize("name", ["bert-labels", "roberta"])
def test_a_gguf_becomes_a_gguf(runner, llama, folders, name, tmp_path):
    folder = folders(name)
    runner.run("convert", folder, "-o", tmp_path / "plain")
    runner.encrypt(tmp_path / "plain", tmp_path / "out")
    rows = some_rows(folder)
    permutation = np.array(runner.permutation(tmp_path / "out", json.loads((folder / "config.json").read_text())["vocab_size"]))
    with server(llama, tmp_path / "plain/model.gguf") as plain:
        expected = pooled(plain, rows)
    with server(llama, tmp_path / "out/server/model.gguf") as veiled:
        found = pooled(veiled, [permutation[row] for row in rows])
    vectors = np.array(runner.run("vectors", tmp_path / "out/client", "-k", runner.key, text=json.dumps(found.tolist()))["vectors"])
    assert_same(vectors, expected)


@pytest.mark.parametrize("modules, pooling", [({"pooling_mode_cls_token": True}, 2), ({"pooling_mode_mean_tokens": True}, 1),
                                              ({"pooling_mode": "lasttoken"}, 3), (None, 1)])
def test_pooling_is_that_of_the_folder(runner, folders, modules, pooling, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(folders("roberta"), folder)
    if modules:
        (folder / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
                                                         {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]))
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling/config.json").write_text(json.dumps({"word_embedding_dimension": 48, **modules}))
    runner.encrypt(folder, tmp_path / "out", "--to", "gguf")
    fields = gguf.GGUFReader(tmp_path / "out/server/model.gguf").fields
    assert fields["bert.pooling_type"].parts[-1][0] == pooling
    assert not fields["bert.attention.causal"].parts[-1][0]


def test_what_llama_cpp_cannot_do_is_refused(runner, folders, tmp_path):
    refused = lambda folder: runner.fail(1, "encrypt", folder, "-k", runner.key, "-o", tmp_path / "out", "--to", "gguf")
    assert "labels tokens" in refused(folders("bert-token-labels"))
    assert "llama.cpp has no map behind a narrower embedding" in refused(folders("electra-labels"))
    folder = tmp_path / "relu"
    shutil.copytree(folders("roberta"), folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_act": "relu"}))
    assert "llama.cpp computes GELU by its tanh approximation" in refused(folder)


def test_rows_of_positions_that_no_token_has_are_left_out(runner, folders, tmp_path):
    """RoBERTa counts positions from the id of padding."""
    runner.encrypt(folders("roberta"), tmp_path / "out", "--to", "gguf")
    [positions] = [t for t in gguf.GGUFReader(tmp_path / "out/server/model.gguf").tensors if t.name == "position_embd.weight"]
    assert list(positions.shape) == [48, 62]


def test_modules_behind_the_pooling_are_named(runner, folders, tmp_path):
    """The encrypted model does not have them: a person has to know."""
    folder = shutil.copytree(folders("roberta"), tmp_path / "model")
    (folder / "modules.json").write_text(json.dumps([{"type": f"sentence_transformers.models.{name}"} for name in ("Transformer", "Pooling", "Dense")]))
    warnings = runner.encrypt(folder, tmp_path / "out")["warnings"]
    assert any("modules.json: Dense is no part of the encrypted model" in warning for warning in warnings)


def test_serve_asks_for_vectors_of_an_encoder_alone(runner, folders, model_folder, tmp_path):
    """and for batches as long as its context: llama-server refuses a longer text than a batch"""
    for name, folder, expected in (("encoder", folders("roberta"), ["--embeddings", "-b", "62", "-ub", "62"]), ("decoder", model_folder("llama-gqa"), [])):
        runner.encrypt(folder, tmp_path / name, "--to", "gguf")
        command = json.loads(runner.call("serve", tmp_path / name / "server", "--engine", "/bin/true", "--json", "--", "-x").stdout)["command"]
        assert command[-len(expected) - 1:] == [*expected, "-x"] and ("--embeddings" in command) == bool(expected), name
