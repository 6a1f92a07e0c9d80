"""The encrypted checkpoint computes the plaintext model's logits, by implementations that share nothing with Isoveil."""

import json
import re

import numpy as np
import pytest

import models
import reference

PROMPTS = ["the front desk of the clinic", "Lily saw a big red ball", "日本語 und 12,50 €"]


def read_ids(folder):
    tokenizer = models.Tokenizer.from_file(str(folder / "tokenizer.json"))
    bos = tokenizer.token_to_id("<|bos|>")
    return [[bos] + tokenizer.encode(text).ids for text in PROMPTS]


def difference(plain, encrypted, permutation, ids, weights=None):
    """(largest difference, root mean square, range) of the logits over all prompts, in plain order"""
    diffs, low, high = [], np.inf, -np.inf
    for row in ids:
        expected = reference.logits(plain, row, weights)
        found = reference.logits(encrypted, [permutation[i] for i in row])[:, permutation]
        diffs.append((found - expected).ravel())
        low, high = min(low, expected.min()), max(high, expected.max())
    diffs = np.concatenate(diffs)
    return np.abs(diffs).max(), np.sqrt((diffs**2).mean()), high - low


@pytest.fixture(params=models.MODELS | models.FOLDERS)
def model(request, model_folder):
    return model_folder(request.param)


def n_vocab_of(folder):
    return json.loads((folder / "config.json").read_text())["vocab_size"]


@pytest.mark.parametrize("profile", ["exact", "rotated"])
def test_logits_in_fp64(runner, model, profile, tmp_path):
    runner.encrypt(model, tmp_path / "out", "--profile", profile)
    permutation = runner.permutation(tmp_path / "out", n_vocab_of(model))
    assert sorted(permutation) == list(range(len(permutation)))
    largest, rms, span = difference(model, tmp_path / "out/server", permutation, read_ids(model))
    assert span > 3, "the model is too flat to tell anything"
    dtype = next(iter(models.read_folder(model).values()))[2]
    if profile == "exact":
        assert largest < 1e-10 * span
    elif dtype == "F32":
        assert largest < 1e-4 * span
    else:
        # What rounding the weights to their type did to the plaintext model in the first place.
        unrounded = dict(np.load(model / "reference.npz"))
        errors = [reference.logits(model, row) - reference.logits(model, row, unrounded) for row in read_ids(model)]
        noise = np.sqrt(np.mean(np.concatenate([e.ravel() for e in errors]) ** 2))
        assert rms < 1.5 * noise, (rms, noise)


def together(tensors):
    """The weights of experts, which change places, as one tensor."""
    groups = {}
    for name in sorted(tensors):
        groups.setdefault(re.sub(r"\.experts\.\d+\.", ".experts.", name), []).append(tensors[name])
    return {name: (np.concatenate([v for v, _, _ in g]), np.concatenate([b for _, b, _ in g]), g[0][2]) for name, g in groups.items()}


def test_exact_keeps_every_bit_but_sign_and_exponent(runner, model, tmp_path):
    runner.encrypt(model, tmp_path / "out")
    plain, encrypted = models.read_folder(model), models.read_folder(tmp_path / "out/server")
    if any(name.startswith("h.") for name in plain):  # a bare model becomes a whole one
        plain = {"transformer." + name: tensor for name, tensor in plain.items()}
    assert plain.keys() == encrypted.keys()
    plain, encrypted = together(plain), together(encrypted)
    for name, (values, bits, dtype) in plain.items():
        mantissa = {"F32": 0x7FFFFF, "F16": 0x3FF, "BF16": 0x7F}[dtype]
        found_values, found_bits, found_dtype = encrypted[name]
        assert (found_dtype, found_values.shape) == (dtype, values.shape)
        assert np.array_equal(np.sort(bits & mantissa), np.sort(found_bits & mantissa)), name
        ratio = np.sort(np.abs(found_values).ravel()) / np.sort(np.abs(values).ravel())
        assert ratio.min() >= 2**-5 and ratio.max() <= 2**5, name
        # The gain of heads is not moved by signs, and a permutation of three heads may be none.
        if "self_attn" not in name or "_norm" not in name:
            assert not np.array_equal(values, found_values), f"{name} is left in plaintext"


@pytest.mark.parametrize("profile", ["exact", "rotated"])
@pytest.mark.parametrize("name", ["llama-gqa", "llama-biases", "llama-sharded", "llama3-rope", "gpt2", "gpt2-width-100"])
def test_transformers_opens_and_agrees(runner, model_folder, name, profile, tmp_path):
    torch = pytest.importorskip("torch", reason="Debian's python3-torch is not installed")
    transformers = pytest.importorskip("transformers")
    folder = model_folder(name)
    runner.encrypt(folder, tmp_path / "out", "--profile", profile)
    permutation = runner.permutation(tmp_path / "out", n_vocab_of(folder))
    load = lambda path: transformers.AutoModelForCausalLM.from_pretrained(path, torch_dtype=torch.float64).eval()
    plain, encrypted = load(folder), load(tmp_path / "out/server")
    for row in read_ids(folder):
        with torch.no_grad():
            expected = plain(torch.tensor([row])).logits[0].numpy()
            found = encrypted(torch.tensor([[permutation[i] for i in row]])).logits[0].numpy()[:, permutation]
        assert np.abs(found - expected).max() < 1e-4 * (expected.max() - expected.min())
    placeholder = transformers.AutoTokenizer.from_pretrained(tmp_path / "out/server")
    assert placeholder.convert_tokens_to_ids("t0010") == 16
    # transformers' own reading of the ids that stop a generation
    assert plain.generation_config.eos_token_id != encrypted.generation_config.eos_token_id
    assert [permutation[i] for i in plain.generation_config.eos_token_id] == encrypted.generation_config.eos_token_id


@pytest.mark.parametrize("name", ["llama-gqa", "llama-mqa", "llama-untied", "llama-biases", "llama3-rope", "llama-bf16", "gpt2", "gpt2-bf16"])
@pytest.mark.parametrize("profile", ["exact", "rotated"])
def test_verify_on_llama_cpp(runner, model_folder, name, profile, tmp_path):
    folder = model_folder(name)
    runner.encrypt(folder, tmp_path / "out", "--profile", profile, "--to", "gguf")
    report = runner.run("verify", "--plain", folder, "--encrypted", tmp_path / "out", "-k", runner.key)
    assert report["match"] and report["top1_agreement"] > 0.9
    if not name.endswith("bf16"):
        assert report["greedy_identical"] and report["tokens_compared"] >= 150
        assert report["max_abs_logit_diff"] < 1e-4 * report["logit_range"]
    rounding = report["plaintext_rounding"]
    assert set(rounding) == {"summation_order", "served_summation_order", "storage_type"} | ({"weight_rounding"} if profile == "rotated" else set())
    if profile == "rotated" and name.endswith("bf16"):
        # The scale of what the profile does: one more rounding of weights.
        assert 1 / 1.5 < report["rms_logit_diff"] / rounding["weight_rounding"]["rms_logit_diff"] < 1.5


@pytest.mark.parametrize("name, profile", [("llama-gqa", "exact"), ("llama-bf16", "rotated")])
def test_verify_finds_a_changed_weight(runner, model_folder, tmp_path, name, profile):
    folder = model_folder(name)
    runner.encrypt(folder, tmp_path / "out", "--profile", profile)
    path = tmp_path / "out/server/model.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-4000:-2000] = raw[-2000:]
    path.write_bytes(raw)
    runner.fail(3, "verify", "--plain", folder, "--encrypted", tmp_path / "out", "-k", runner.key)
