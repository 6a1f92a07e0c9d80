"""Encoders that the pinned transformers is too old for, in a newer one: encrypted, in both profiles, fp64."""

import json

import numpy as np
import pytest

import models
import reference
from families import NAMES, WIDE
from test_families import BOUND, batch_of
from test_newer_families import worker  # noqa: F401
from test_newer_families import pytestmark  # noqa: F401

MODERNBERT = dict(WIDE, num_hidden_layers=4, local_attention=6, norm_eps=1e-3, global_rope_theta=160000.0, local_rope_theta=1000.0)
BIASES = {name: True for name in ("attention_bias", "mlp_bias", "norm_bias", "classifier_bias")}
ODD = dict(MODERNBERT, hidden_size=36, num_attention_heads=3, intermediate_size=21)
# name: (class, configuration, output)
ENCODERS = {
    "modernbert": ("ModernBertModel", MODERNBERT, "last_hidden_state"),
    "modernbert-odd": ("ModernBertModel", dict(ODD, **BIASES), "last_hidden_state"),
    "modernbert-masked": ("ModernBertForMaskedLM", MODERNBERT, "logits"),
    "modernbert-masked-biases": ("ModernBertForMaskedLM", dict(ODD, tie_word_embeddings=False, **BIASES), "logits"),
    "modernbert-labels": ("ModernBertForSequenceClassification", dict(MODERNBERT, classifier_pooling="mean", **NAMES), "labels"),
    "modernbert-labels-relu": ("ModernBertForSequenceClassification", dict(MODERNBERT, classifier_activation="relu", **NAMES), "labels"),
    "modernbert-token-labels": ("ModernBertForTokenClassification", dict(MODERNBERT, **BIASES, **NAMES), "labels"),
}


@pytest.fixture(scope="module")
def folders(worker, tmp_path_factory):  # noqa: F811
    made = {}

    def make(name):
        if name not in made:
            folder = made[name] = tmp_path_factory.mktemp("newer") / name
            folder.mkdir()
            t = models.tokenizer(None)
            hf_class, config, _ = ENCODERS[name]
            ids = {f"{kind}_token_id": t.token_to_id(f"<|{of}|>") for kind, of in (("bos", "bos"), ("eos", "eos"), ("pad", "pad"), ("cls", "bos"), ("sep", "eos"))}
            worker.ask("make", folder=str(folder), seed=sum(map(ord, name)), **{"class": hf_class},
                       config=dict(config, vocab_size=t.get_vocab_size() + 5, **ids))
            t.save(str(folder / "tokenizer.json"))
            (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<|pad|>"}))
        return made[name]
    return make


@pytest.mark.parametrize("profile", ["exact", "rotated"])
@pytest.mark.parametrize("name", ENCODERS)
def test_outputs_are_those_of_the_plaintext_model(runner, worker, folders, name, profile, tmp_path):  # noqa: F811
    folder, out = folders(name), tmp_path / "out"
    runner.encrypt(folder, out, "--profile", profile)
    permutation = np.array(runner.permutation(out, json.loads((folder / "config.json").read_text())["vocab_size"]))
    ids, mask = batch_of(folder)
    hf_class, _, output = ENCODERS[name]
    ask = lambda path, rows: np.array(worker.ask("outputs", folder=str(path), ids=rows.tolist(), mask=mask.tolist(), **{"class": hf_class},
                                                 output="logits" if output == "labels" else output)["outputs"])
    expected, found = ask(folder, ids), ask(out / "server", permutation[ids])
    if output == "logits":
        plain = found[..., permutation]
    else:
        plain = np.array(runner.run("vectors", out / "client", "-k", runner.key, "--output", "logits" if output == "labels" else output,
                                    text=json.dumps(found.tolist()))["vectors"])
    span, worst = np.ptp(expected), np.abs(plain - expected).max()
    print(f"{name} {profile} {worst / span:.1e}")
    assert span > 0.1 and worst < BOUND[profile] * span
    stored, source = models.read_folder(out / "server"), models.read_folder(folder)
    assert source.keys() <= stored.keys()
    assert not [t for t, (values, _, _) in source.items() if values.size >= 8 and np.array_equal(values, stored[t][0])], "left in plaintext"


def test_the_reference_is_the_class(worker, tmp_path):  # noqa: F811
    """tests/modernbert.py, with which the other tests compare"""
    for name in ("modernbert", "modernbert-biases"):
        folder = models.make(name, tmp_path / name)
        row = list(range(3, 40))
        found = worker.ask("outputs", folder=str(folder), ids=[row], mask=[[1] * len(row)], output="logits", **{"class": "ModernBertForMaskedLM"})
        expected = reference.logits(folder, row)
        assert np.abs(np.array(found["outputs"])[0] - expected).max() < 2e-6 * np.ptp(expected)
