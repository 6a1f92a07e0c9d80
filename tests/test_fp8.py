"""Folders in FP8: each matrix is read as F8_E4M3 times its scales and rounded to BF16 once."""

import json
import shutil
import struct

import gguf
import numpy as np
import pytest

import models

MODULES = [f"model.layers.{i}.{m}" for i in range(2) for m in ("self_attn.q_proj", "self_attn.o_proj", "mlp.up_proj", "mlp.down_proj")]
# E4M3 by its definition: exponents with a bias of 7, subnormals below, no infinities.
VALUES = np.array([(1 - 2 * (b >> 7)) * ((b & 7) / 512 if b >> 3 & 15 == 0 else (8 + (b & 7)) * 2.0 ** ((b >> 3 & 15) - 10)) for b in range(256)])
FINITE = np.array([b for b in range(256) if b & 0x7F != 0x7F], np.uint8)


def bf16(values):
    """Exact fp64 values to BF16, to nearest even, once."""
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.rint(np.ldexp(mantissa, 8)), exponent - 8)


def scale_of(kind, shape, block, draw):
    grid = {"tensor": (), "one": (1,), "rows": (shape[0], 1), "blocks": tuple(-(-n // b) for n, b in zip(shape, block))}[kind]
    return draw.uniform(1e-3, 3e-2, grid).astype(np.float32)


def write(path, tensors):
    """safetensors by hand: NumPy has no FP8."""
    header, data = {}, b""
    for name, (dtype, array) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def fp8_folder(base, out, kind, block=(32, 48), ending="_scale_inv", change=None):
    """The folder, and the values that its matrices stand for."""
    shutil.copytree(base, out, ignore=shutil.ignore_patterns("*.npz", "*.safetensors"))
    draw = np.random.default_rng(8)
    tensors, expected = {}, {}
    for name, (values, _, _) in models.read_folder(base).items():
        if name.removesuffix(".weight") not in MODULES:
            tensors[name] = "F32", values.astype(np.float32)
            continue
        bits = draw.choice(FINITE, values.shape)
        scale = scale_of(kind, values.shape, block, draw)
        tensors[name], tensors[name + ending] = ("F8_E4M3", bits), ("F32", scale)
        whole = np.kron(scale, np.ones(block))[:values.shape[0], :values.shape[1]] if kind == "blocks" else scale
        expected[name] = bf16(VALUES[bits] * whole.astype(np.float64))
    if change:
        change(tensors)
    write(out / "model.safetensors", tensors)
    config = json.loads((base / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": list(block) if kind == "blocks" else None}
    (out / "config.json").write_text(json.dumps(config))
    return expected


ROLES = {"self_attn.o_proj": "attn_output", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}


@pytest.mark.parametrize("kind, ending", [("tensor", "_scale"), ("one", "_scale"), ("rows", "_scale"), ("blocks", "_scale_inv")])
def test_values_are_exact(runner, model_folder, tmp_path, kind, ending):
    expected = fp8_folder(model_folder("llama-gqa"), tmp_path / "fp8", kind, ending=ending)
    runner.run("convert", tmp_path / "fp8", "-o", tmp_path / "plain")
    tensors = {t.name: t for t in gguf.GGUFReader(tmp_path / "plain/model.gguf").tensors}
    for layer in range(2):
        for module, role in ROLES.items():
            stored = tensors[f"blk.{layer}.{role}.weight"]
            assert stored.tensor_type == gguf.GGMLQuantizationType.BF16
            found = (np.frombuffer(stored.data.tobytes(), "<u2").astype("<u4") << 16).view("<f4").astype(np.float64)
            wanted = expected[f"model.layers.{layer}.{module}.weight"]
            assert (found.reshape(wanted.shape) == wanted).all(), (layer, module)


@pytest.mark.parametrize("to", [[], ["--to", "gguf"]])
def test_the_encrypted_model_is_plain_and_the_same(runner, model_folder, tmp_path, to):
    fp8_folder(model_folder("llama-gqa"), tmp_path / "fp8", "blocks")
    runner.encrypt(tmp_path / "fp8", tmp_path / "out", *to)
    assert runner.run("verify", "--plain", tmp_path / "fp8", "--encrypted", tmp_path / "out", "-k", runner.key)["match"]
    manifest = json.loads((tmp_path / "out/client/manifest.json").read_text())
    said = [t for t in manifest["tensors"] if "read from F8_E4M3 times its scales" in t["treatment"][0]]
    assert len(said) == len(MODULES) and {t["type"] for t in said} == {"BF16"}
    if not to:
        assert "quantization_config" not in json.loads((tmp_path / "out/server/config.json").read_text())


NAME = "model.layers.0.mlp.up_proj.weight"


@pytest.mark.parametrize("change, words", [
    (lambda ts: ts.pop(NAME + "_scale_inv"), [NAME, "F8_E4M3"]),
    (lambda ts: ts.update({NAME + "_scale_inv": ("F32", np.ones((2, 2), np.float32))}), ["weight_block_size", "[2, 2]"]),
    (lambda ts: ts.update({"model.layers.0.mlp.up_proj.input_scale": ("F32", np.ones((), np.float32))}), ["input_scale", "has no rule"]),
])
def test_what_does_not_fit_is_named(runner, model_folder, tmp_path, change, words):
    fp8_folder(model_folder("llama-gqa"), tmp_path / "fp8", "blocks", change=change)
    error = runner.fail(1, "encrypt", tmp_path / "fp8", "--dry-run")
    assert all(word in error for word in words), error


def test_not_a_number_is_found(runner, model_folder, tmp_path):
    def damage(tensors):
        tensors[NAME][1][3, 5] = 0x7F
    fp8_folder(model_folder("llama-gqa"), tmp_path / "fp8", "blocks", change=damage)
    assert "not a number" in runner.fail(1, "encrypt", tmp_path / "fp8", "-k", runner.key, "-o", tmp_path / "out")


def test_a_product_that_does_not_fit_is_named(runner, model_folder, tmp_path):
    def enlarge(tensors):
        tensors[NAME + "_scale_inv"][1][1, 0] = 3e38
    fp8_folder(model_folder("llama-gqa"), tmp_path / "fp8", "blocks", change=enlarge)
    error = runner.fail(1, "encrypt", tmp_path / "fp8", "-k", runner.key, "-o", tmp_path / "out")
    assert f"tensor '{NAME}', row 32" in error and "is not finite in BF16" in error, error
