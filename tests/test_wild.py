"""Checkpoints as they are found in public: tensors under other names, fields that are missing or wrong, formats of others."""

import json
import shutil
import subprocess

import gguf
import numpy as np
import pytest
import safetensors.numpy

import models
import reference

IDS = [[256, 5, 77, 300, 12, 9], [256, 104, 101, 32]]


def read(path):
    return json.loads(path.read_text())


def changed(folder, out, tensors=None, index=None, **config):
    """A copy of a folder with other tensors ({name: array or None} over those of before) and fields (None removes one)."""
    out.mkdir()
    for path in folder.iterdir():
        if path.suffix not in (".npz", ".safetensors"):
            shutil.copy(path, out)
    before = {name: values.astype(np.float32) for name, (values, _, _) in models.read_folder(folder).items()}
    safetensors.numpy.save_file(tensors(before) if tensors else before, out / "model.safetensors")
    (out / "model.safetensors.index.json").unlink(missing_ok=True)
    fields = {name: value for name, value in {**read(folder / "config.json"), **config}.items() if value is not None}
    (out / "config.json").write_text(json.dumps(fields))
    return out


def assert_same_function(runner, folder, wild, out, *args):
    runner.encrypt(wild, out, *args)
    permutation = runner.permutation(out, read(folder / "config.json")["vocab_size"])
    for row in IDS:
        expected = reference.logits(folder, row)
        found = reference.logits(out / "server", [permutation[i] for i in row])[:, permutation]
        assert np.abs(found - expected).max() < 1e-4 * (expected.max() - expected.min())


@pytest.mark.parametrize("profile", ["exact", "rotated"])
@pytest.mark.parametrize("name, prefix, bare, whole", [
    ("llama-gqa", "model.", "LlamaModel", "LlamaForCausalLM"),
    ("llama-gqa", "model.", "MistralModel", "MistralForCausalLM"),
    ("gpt2", "transformer.", "GPT2Model", "GPT2LMHeadModel")])
def test_a_bare_model_becomes_a_whole_one(runner, model_folder, tmp_path, name, prefix, bare, whole, profile):
    folder = model_folder(name)
    wild = changed(folder, tmp_path / "wild", lambda ts: {n.removeprefix(prefix): t for n, t in ts.items()}, architectures=[bare])
    assert_same_function(runner, folder, wild, tmp_path / "out", "--profile", profile)
    assert read(tmp_path / "out/server/config.json")["architectures"] == [whole]
    names = models.read_folder(tmp_path / "out/server")
    assert all(n.startswith(prefix) or n == "lm_head.weight" for n in names)


@pytest.mark.parametrize("name, type, whole", [
    ("llama-gqa", "llama", "LlamaForCausalLM"), ("llama-gqa", "mistral", "MistralForCausalLM"), ("gpt2", "gpt2", "GPT2LMHeadModel")])
def test_model_type_stands_for_architectures(runner, model_folder, tmp_path, name, type, whole):
    folder = model_folder(name)
    wild = changed(folder, tmp_path / "wild", architectures=None, model_type=type)
    assert_same_function(runner, folder, wild, tmp_path / "out")
    assert read(tmp_path / "out/server/config.json")["architectures"] == [whole]


@pytest.mark.parametrize("config, words", [
    ({"architectures": None, "model_type": None}, ["architectures", "model_type"]),
    ({"architectures": [], "model_type": "t5"}, ["config.json: model_type", "'t5' is not declared"]),
    ({"architectures": [7]}, ["architectures", "class name"])])
def test_no_known_architecture_is_said(runner, model_folder, tmp_path, config, words):
    folder = model_folder("llama-gqa")
    wild = changed(folder, tmp_path / "wild")
    fields = {**read(wild / "config.json"), **config}
    (wild / "config.json").write_text(json.dumps({n: v for n, v in fields.items() if v is not None}))
    error = runner.fail(1, "encrypt", wild, "-k", runner.key, "-o", tmp_path / "out")
    assert all(word in error for word in words), error


@pytest.mark.parametrize("to", [[], ["--to", "gguf"]])
def test_known_buffers_are_dropped_and_listed(runner, model_folder, tmp_path, to):
    folder = model_folder("llama-gqa")
    buffers = [f"model.layers.{i}.self_attn.rotary_emb.{b}" for i in range(2) for b in ("inv_freq", "cos_cached", "sin_cached")]
    buffers += ["model.rotary_emb.inv_freq", "model.rotary_emb.original_inv_freq"]
    wild = changed(folder, tmp_path / "wild", lambda ts: {**ts, **{b: np.ones(4, np.float32) for b in buffers}})
    plan = runner.run("encrypt", wild, "--dry-run", *to)
    assert sorted(buffers) == sorted(n for n, why in plan["dropped_tensors"].items() if "buffer" in why)
    runner.encrypt(wild, tmp_path / "out", *to)
    assert not [f for f in (tmp_path / "out/server").iterdir() if b"inv_freq" in f.read_bytes() or b"cached" in f.read_bytes()]


def test_a_wrong_total_size_and_null_metadata(runner, model_folder, tmp_path):
    folder = model_folder("llama-sharded")
    wild = tmp_path / "wild"
    shutil.copytree(folder, wild)
    index = read(wild / "model.safetensors.index.json")
    (wild / "model.safetensors.index.json").write_text(json.dumps({**index, "metadata": {"total_size": 17.5}}))
    for path in wild.glob("*.safetensors"):
        raw = path.read_bytes()
        size = int.from_bytes(raw[:8], "little")
        header = json.loads(raw[8:8 + size])
        header["__metadata__"] = None
        text = json.dumps(header).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + size:])
    assert_same_function(runner, folder, wild, tmp_path / "out")


def test_quantised_folders_are_named(runner, model_folder, tmp_path):
    wild = changed(model_folder("llama-gqa"), tmp_path / "wild",
                   quantization_config={"quant_method": "gptq", "bits": 4})
    for command in (["inspect", wild], ["encrypt", wild, "--dry-run"]):
        error = runner.fail(1, *command)
        assert "quantised with GPTQ" in error and "convert_hf_to_gguf.py" in error


def test_adapters_are_named(runner, tmp_path):
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA", "base_model_name_or_path": "meta-llama/Llama-2-7b"}')
    (folder / "adapter_model.safetensors").write_bytes(b"")
    error = runner.fail(1, "encrypt", folder, "--dry-run")
    assert "LoRA adapter for 'meta-llama/Llama-2-7b'" in error and "merge_and_unload" in error
    writer = gguf.GGUFWriter(tmp_path / "adapter.gguf", "llama")
    writer.add_string("general.type", "adapter")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    error = runner.fail(1, "encrypt", tmp_path / "adapter.gguf", "--dry-run")
    assert "LoRA adapter" in error and "llama-export-lora" in error


@pytest.mark.parametrize("kind", ["Q1_0", "Q2_0"])
def test_the_newest_block_formats_move(runner, llama, model_folder, tmp_path, kind):
    folder = model_folder("llama-256")
    runner.run("convert", folder, "-o", tmp_path / "plain")
    quantised = tmp_path / "quantised.gguf"
    subprocess.run([llama / "llama-quantize", "--token-embedding-type", kind, "--output-tensor-type", kind,
                    tmp_path / "plain/model.gguf", quantised, kind], check=True, capture_output=True)
    runner.encrypt(quantised, tmp_path / "out")
    manifest = read(tmp_path / "out/client/manifest.json")
    assert {t["name"]: t["type"] for t in manifest["tensors"]}["blk.0.ffn_up.weight"] == kind
    assert runner.run("verify", "--plain", quantised, "--encrypted", tmp_path / "out", "-k", runner.key)["match"]


def test_scales_apart_from_their_weights_are_named(runner, model_folder, tmp_path):
    """As in GGUF files of NVFP4, and in FP8 folders whose configuration does not say so."""
    folder = model_folder("llama-gqa")
    runner.run("convert", folder, "-o", tmp_path / "plain")
    source = gguf.GGUFReader(tmp_path / "plain/model.gguf")
    writer = gguf.GGUFWriter(tmp_path / "scaled.gguf", "llama")
    for name, field in source.fields.items():
        if name.startswith("llama."):
            writer.add_key_value(name, field.contents(), field.types[0])
    for tensor in source.tensors:
        writer.add_tensor(tensor.name, np.array(tensor.data))
    writer.add_tensor("blk.0.ffn_up.scale", np.ones(1, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    scaled = changed(folder, tmp_path / "wild",
                     lambda ts: {**ts, "model.layers.0.mlp.up_proj.weight_scale_inv": np.ones((1, 1), np.float32)})
    for model, name in ((tmp_path / "scaled.gguf", "blk.0.ffn_up.scale"), (scaled, "up_proj.weight_scale_inv")):
        error = runner.fail(1, "encrypt", model, "--dry-run")
        assert name in error and "NVFP4" in error and "llama-quantize" in error, error
