"""Encoders whose checkpoints hold more than their class reads: the answers are those of the class all the same."""

import json

import numpy as np
import pytest

import models
from test_families import batch_of, family_folder, outputs_of, torch  # noqa: F401

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
