"""Encoders whose checkpoints hold more than their class reads, and ModernBERT, of which the pinned transformers has no class: the answers are
those of the class all the same."""

import json

import numpy as np
import pytest

import models
import modernbert
import reference
from test_families import BOUND, batch_of, family_folder, ids_of, outputs_of, torch  # noqa: F401

# What trainers leave beside a head that they put on a network with another one.
POOLER = {"pooler.dense": (48, 48)}
STALE = {
    "bert-token-labels": ("bert.", POOLER),
    "bert-masked": ("", {"bert.pooler.dense": (48, 48), "cls.seq_relationship": (2, 48)}),
    "roberta-labels": ("roberta.", POOLER),
    "roberta-masked": ("roberta.", POOLER),
    "xlm-roberta-token-labels": ("roberta.", POOLER),
    "mpnet-labels": ("mpnet.", POOLER),
    "mpnet-token-labels": ("mpnet.", POOLER),
    "mpnet-masked": ("mpnet.", POOLER),
    "distilbert-token-labels": ("", {"pre_classifier": (48, 48)}),
    "albert-token-labels": ("albert.", {"pooler": (48, 48)}),
}


@pytest.mark.parametrize("name", STALE)
def test_weights_that_the_class_does_not_read(runner, family_folder, name, tmp_path):  # noqa: F811
    folder, source = family_folder(name), tmp_path / "source"
    source.mkdir()
    for path in folder.glob("*.json"):
        (source / path.name).write_bytes(path.read_bytes())
    tensors = {tensor: values for tensor, (values, _, _) in models.read_folder(folder).items()}
    prefix, modules = STALE[name]
    rng = np.random.default_rng(1)
    for module, shape in modules.items():
        tensors |= {f"{prefix}{module}.weight": rng.normal(0, 0.2, shape), f"{prefix}{module}.bias": rng.normal(0, 0.2, shape[0])}
    models.write_safetensors(source / "model.safetensors", tensors, "F32")

    runner.encrypt(source, tmp_path / "out")
    permutation = np.array(runner.permutation(tmp_path / "out", json.loads((source / "config.json").read_text())["vocab_size"]))
    ids, mask = batch_of(source)
    expected, found = outputs_of(name, folder, ids, mask), outputs_of(name, tmp_path / "out/server", permutation[ids], mask)
    if name.endswith("masked"):
        plain = found[..., permutation]
    else:
        plain = np.array(runner.run("vectors", tmp_path / "out/client", "-k", runner.key, "--output", "logits", text=json.dumps(found.tolist()))["vectors"])
    assert np.abs(plain - expected).max() < 1e-10 * np.ptp(expected)
    stored = models.read_folder(tmp_path / "out/server")
    assert not any(module in tensor for tensor in stored for module in modules), "what nothing reads is not carried along"


def make_modernbert(folder, head, stale=(), **options):
    """`stale`: tensors of another class beside its own."""
    models.make("modernbert", folder)
    ids = {key: value for key, value in json.loads((folder / "config.json").read_text()).items() if key.endswith("token_id") or key == "vocab_size"}
    tensors, config = modernbert.tensors(modernbert.modernbert(**options), ids["vocab_size"], np.random.default_rng(7), head)
    more, _ = modernbert.tensors(modernbert.modernbert(**options), ids["vocab_size"], np.random.default_rng(8), "ForMaskedLM")
    tensors |= {name: more[name] for name in stale}
    (folder / "config.json").write_text(json.dumps(config | ids))
    models.write_safetensors(folder / "model.safetensors", tensors, "F32")
    return folder


MODERNBERT = {
    "vectors": ("Model", (), {}),
    "vectors-odd": ("Model", (), dict(width=36, heads=3, ffn=21, layers=2, biases=True)),
    "vectors-with-a-head": ("Model", ("head.dense.weight", "head.norm.weight", "decoder.bias"), {}),
    "labels": ("ForSequenceClassification", (), {}),
    "labels-of-the-first": ("ForSequenceClassification", ("decoder.bias",), dict(extra={"classifier_pooling": "cls"})),
    "token-labels": ("ForTokenClassification", (), dict(biases=True)),
}


@pytest.mark.parametrize("profile", ["exact", "rotated"])
@pytest.mark.parametrize("name", MODERNBERT)
def test_modernbert(runner, name, profile, tmp_path):
    head, stale, options = MODERNBERT[name]
    folder, out = make_modernbert(tmp_path / "source", head, stale, **options), tmp_path / "out"
    runner.encrypt(folder, out, "--profile", profile)
    permutation = np.array(runner.permutation(out, json.loads((folder / "config.json").read_text())["vocab_size"]))
    rows = ids_of(folder)
    expected = [reference.logits(folder, row) for row in rows]
    found = [reference.logits(out / "server", permutation[row]) for row in rows]
    port = "last_hidden_state" if head == "Model" else "logits"
    span = max(map(np.max, expected)) - min(map(np.min, expected))
    assert span > 1
    for a, b in zip(expected, found):
        plain = np.array(runner.run("vectors", out / "client", "-k", runner.key, "--output", port, text=json.dumps(b.tolist()))["vectors"])
        assert np.abs(plain - a).max() < (1e-10 if profile == "exact" else BOUND["rotated"]) * span
    assert not set(stale) & set(models.read_folder(out / "server")), "what nothing reads is not carried along"


@pytest.mark.parametrize("fields, words", [
    ({"hidden_activation": "softmax"}, ["hidden_activation", "softmax"]), ({"classifier_activation": "softmax"}, ["classifier_activation", "softmax"]),
    ({"num_attention_heads": 16}, ["RoPE", "even"]), ({"architectures": ["ModernBertForQuestionAnswering"]}, ["ModernBertForQuestionAnswering"]),
    ({"partial_rotary_factor": 0.5}, ["partial_rotary_factor"]), ({"num_hidden_layers": 4}, ["layers.4", "declares no such weight"]),
])
def test_modernbert_is_refused_by_name(runner, fields, words, tmp_path):
    folder = make_modernbert(tmp_path / "source", "Model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | fields))
    error = runner.fail(1, "encrypt", folder, "-k", runner.key, "-o", tmp_path / "out")
    assert all(word in error for word in words), error


def test_a_first_norm_that_the_class_does_not_have_is_refused(runner, tmp_path):
    folder = make_modernbert(tmp_path / "source", "Model")
    tensors = {name: values for name, (values, _, _) in models.read_folder(folder).items()}
    models.write_safetensors(folder / "model.safetensors", tensors | {"layers.0.attn_norm.weight": np.ones(48)}, "F32")
    assert "layers.0.attn_norm.weight" in runner.fail(1, "encrypt", folder, "-k", runner.key, "-o", tmp_path / "out")
