"""Every family, encrypted and run by stock transformers in fp64, gives the plaintext model's answers once decrypted."""

import json

import numpy as np
import pytest

import families
import models

torch = pytest.importorskip("torch", reason="Debian's python3-torch is not installed")
transformers = pytest.importorskip("transformers")

PROMPTS = ["the front desk of the clinic opens at eight", "日本語 und 12,50 €"]
# Largest difference by range. Profile exact moves bits; classes that norm in fp32 round there. Profile rotated rounds
# every weight to fp32 once more.
BOUND = {"exact": 2e-5, "rotated": 1e-4}


@pytest.fixture(scope="session")
def family_folder(tmp_path_factory):
    made = {}

    def make(name):
        if name not in made:
            made[name] = families.make(name, tmp_path_factory.mktemp("families") / name)
        return made[name]
    return make


def load(folder):
    # Debian's torch cannot write the masks of two classes in fp64.
    wide = json.loads((folder / "config.json").read_text())["model_type"] not in ("mpt", "opt")
    return transformers.AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float64 if wide else torch.float32).eval()


def ids_of(folder):
    tokenizer = models.Tokenizer.from_file(str(folder / "tokenizer.json"))
    return [tokenizer.encode(text).ids for text in PROMPTS]


def logits(model, row):
    with torch.no_grad():
        return model(torch.tensor([row]), use_cache=False).logits[0].double().numpy()


def greedy(model, row, n=64):
    """Not model.generate, which needs torch.distributed: Debian's cannot be imported."""
    said, cache, ids = [], None, list(row)
    cached = model.config.model_type != "gemma2"  # whose own cache has no room for more than the first call
    with torch.no_grad():
        for _ in range(n):
            out = model(torch.tensor([ids]), past_key_values=cache, use_cache=cached)
            said.append(int(out.logits[0, -1].argmax()))
            cache, ids = (out.past_key_values, [said[-1]]) if cached else (None, [*row, *said])
    return said


def difference(plain, encrypted, permutation, rows):
    """(largest difference, range) after decryption"""
    worst, low, high = 0, np.inf, -np.inf
    for row in rows:
        expected = logits(plain, row)
        found = logits(encrypted, [permutation[i] for i in row])[:, permutation]
        worst = max(worst, np.abs(found - expected).max())
        low, high = min(low, expected.min()), max(high, expected.max())
    return worst, high - low


@pytest.mark.parametrize("profile", ["exact", "rotated"])
@pytest.mark.parametrize("name", families.DECODERS)
def test_logits_and_greedy_text(runner, family_folder, name, profile, tmp_path):
    folder, out = family_folder(name), tmp_path / "out"
    runner.encrypt(folder, out, "--profile", profile)
    config = json.loads((folder / "config.json").read_text())
    permutation = runner.permutation(out, config["vocab_size"])
    plain, encrypted = load(folder), load(out / "server")
    worst, span = difference(plain, encrypted, permutation, ids_of(folder))
    assert span > 1, "the model is too flat to tell anything"
    assert worst < BOUND[profile] * span, (worst, span)

    row = ids_of(folder)[0]
    said = greedy(plain, row)
    assert greedy(encrypted, [permutation[i] for i in row]) == [permutation[i] for i in said]


@pytest.mark.parametrize("name", families.DECODERS)
def test_no_tensor_is_left_plain(runner, family_folder, name, tmp_path):
    """But for numbers that every head shares, of which the plan says that they stay."""
    folder, out = family_folder(name), tmp_path / "out"
    runner.encrypt(folder, out)
    plain, encrypted = models.read_folder(folder), models.read_folder(out / "server")
    treatments = {t["name"]: t["treatment"] for t in json.loads((out / "client/manifest.json").read_text())["tensors"]}
    assert set(treatments) == set(encrypted)
    for tensor, (values, _, _) in plain.items():
        found = encrypted.get(tensor, encrypted.get(next((n for n in encrypted if n.endswith("." + tensor)), None)))
        if all(text.endswith("stays") for text in treatments.get(tensor, [])) and tensor in treatments:
            continue
        assert found is not None, tensor
        assert values.shape == found[0].shape and not np.array_equal(values, found[0]), f"{tensor} is left in plaintext"
