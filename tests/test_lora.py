"""LoRA adapters as PEFT writes them, merged into the weights while a model is encrypted."""

import hashlib
import json
import math
import shutil

import gguf
import numpy as np
import pytest
import safetensors.numpy

import models
import reference
from test_wild import changed

IDS = [[256, 5, 77, 300, 12, 9], [256, 104, 101, 32]]
CONFIG = {"peft_type": "LORA", "base_model_name_or_path": "somebody/base", "task_type": "CAUSAL_LM", "bias": "none", "r": 4, "lora_alpha": 6,
          "lora_dropout": 0.05, "fan_in_fan_out": False, "use_rslora": False, "use_dora": False, "modules_to_save": None, "rank_pattern": {},
          "alpha_pattern": {}, "init_lora_weights": True, "target_modules": ["q_proj", "down_proj"], "inference_mode": True}
LLAMA = ["model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.v_proj", "model.layers.1.self_attn.o_proj", "model.layers.0.mlp.down_proj"]
GPT2 = ["transformer.h.0.attn.c_attn", "transformer.h.1.attn.c_proj", "transformer.h.1.mlp.c_fc", "transformer.h.0.mlp.c_proj"]


def adapter(out, base, modules, ranks=None, tensors=None, dtype=np.float32, **config):
    """An adapter for modules of a folder, and its (A, B) by module. The second module may have a rank of its own."""
    config = {**CONFIG, **config}
    out.mkdir()
    weights, pairs = {}, {}
    stored = models.read_folder(base)
    for module in modules:
        rank = (ranks or {}).get(module, config["r"])
        rows, cols = stored[module + ".weight"][0].shape
        inputs, outputs = (rows, cols) if config["fan_in_fan_out"] else (cols, rows)
        draw = np.random.default_rng(int(hashlib.sha256(module.encode()).hexdigest()[:8], 16))
        a, b = (draw.normal(0, 0.3, shape).astype(dtype) for shape in ((rank, inputs), (outputs, rank)))
        pairs[module] = a, b
        weights[f"base_model.model.{module}.lora_A.weight"] = a
        weights[f"base_model.model.{module}.lora_B.weight"] = b
    safetensors.numpy.save_file({**weights, **(tensors or {})}, out / "adapter_model.safetensors")
    (out / "adapter_config.json").write_text(json.dumps(config))
    return pairs


def test_a_tokenizer_beside_the_adapter_is_not_ignored_without_a_word(runner, model_folder, tmp_path):
    base = model_folder("llama-chat")
    adapter(tmp_path / "adapter", base, LLAMA[:1])
    warn = lambda: [w for w in runner.run("encrypt", base, "-k", runner.key, "--lora", tmp_path / "adapter", "--dry-run")["warnings"] if "adapter" in w]
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(base / name, tmp_path / "adapter")
    # How batches were filled is no other tokenizer.
    path = tmp_path / "adapter/tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["padding"] = {"strategy": "BatchLongest", "direction": "Left", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": "x"}
    path.write_text(json.dumps(tokenizer))
    assert warn() == []
    tokenizer["added_tokens"][0]["lstrip"] = True
    path.write_text(json.dumps(tokenizer))
    (tmp_path / "adapter/chat_template.jinja").write_text("{{ messages[0].content }}")
    assert [what in w for what, w in zip(("another tokenizer", "another chat template"), warn(), strict=True)] == [True, True]
    report = runner.encrypt(base, tmp_path / "out", "--lora", tmp_path / "adapter")
    assert warn() == [w for w in report["warnings"] if "adapter" in w]
    assert json.loads((tmp_path / "out/client/manifest.json").read_text())["warnings"] == report["warnings"]


def merged(base, pairs, scales, transposed):
    weights = {name: values.astype(np.float64) for name, (values, _, _) in models.read_folder(base).items()}
    for module, (a, b) in pairs.items():
        delta = scales[module] * (b.astype(np.float64) @ a.astype(np.float64))
        weights[module + ".weight"] = weights[module + ".weight"] + (delta.T if transposed else delta)
    return weights


def assert_is(runner, base, out, weights, tolerance=1e-4):
    n_vocab = json.loads((base / "config.json").read_text())["vocab_size"]
    permutation = runner.permutation(out, n_vocab)
    for row in IDS:
        expected = reference.logits(base, row, weights)
        assert np.abs(expected - reference.logits(base, row)).max() > 0.05 * (expected.max() - expected.min())
        found = reference.logits(out / "server", [permutation[i] for i in row])[:, permutation]
        assert np.abs(found - expected).max() < tolerance * (expected.max() - expected.min())


@pytest.mark.parametrize("profile", ["exact", "rotated"])
@pytest.mark.parametrize("name, modules, transposed", [("llama-gqa", LLAMA, False), ("gpt2", GPT2, True)])
@pytest.mark.parametrize("stable", [False, True])
def test_an_adapter_is_merged(runner, model_folder, tmp_path, name, modules, transposed, profile, stable):
    base = model_folder(name)
    pairs = adapter(tmp_path / "lora", base, modules, fan_in_fan_out=transposed, use_rslora=stable)
    runner.encrypt(base, tmp_path / "out", "--lora", tmp_path / "lora", "--profile", profile)
    scale = 6 / (math.sqrt(4) if stable else 4)
    assert_is(runner, base, tmp_path / "out", merged(base, pairs, dict.fromkeys(modules, scale), transposed))


def test_patterns_of_rank_and_alpha(runner, model_folder, tmp_path):
    base = model_folder("llama-gqa")
    pairs = adapter(tmp_path / "lora", base, LLAMA, ranks={LLAMA[3]: 7}, rank_pattern={"down_proj": 7},
                    alpha_pattern={"layers.1.self_attn.o_proj": 20, "proj": 1})
    runner.encrypt(base, tmp_path / "out", "--lora", tmp_path / "lora")
    scales = {LLAMA[0]: 6 / 4, LLAMA[1]: 6 / 4, LLAMA[2]: 20 / 4, LLAMA[3]: 6 / 7}
    assert_is(runner, base, tmp_path / "out", merged(base, pairs, scales, False))


UP = "model.layers.1.mlp.up_proj"


def near_ties(base):
    """An update of the first column that ends a hair beyond the middle of two BF16 numbers: in fp32 it is the middle."""
    weight = models.read_folder(base)[UP + ".weight"][0].astype(np.float64)
    column = weight[:, 0]
    exponents = np.floor(np.log2(np.abs(column)))
    a, b = np.zeros((4, weight.shape[1]), np.float32), np.zeros((weight.shape[0], 4), np.float32)
    a[:2, 0] = 1
    b[:, 0], b[:, 1] = np.copysign(2.0 ** (exponents - 8), column), np.copysign(2.0 ** (exponents - 32), column)
    return a, b


@pytest.mark.parametrize("update", [None, near_ties])
def test_values_are_rounded_once_into_the_models_type(runner, model_folder, tmp_path, update):
    """Without a key in between: the conversion holds the sums of a BF16 model to half a step."""
    base = model_folder("llama-bf16")
    pair = update and update(base)
    tensors = pair and {f"base_model.model.{UP}.lora_{name}.weight": values for name, values in zip("AB", pair)}
    pairs = adapter(tmp_path / "lora", base, [UP], dtype=np.float16, tensors=tensors, lora_alpha=4)
    runner.run("convert", base, "-o", tmp_path / "plain", "--lora", tmp_path / "lora")
    found_tensors = {t.name: t for t in gguf.GGUFReader(tmp_path / "plain/model.gguf").tensors}
    bits = np.frombuffer(found_tensors["blk.1.ffn_up.weight"].data.tobytes(), "<u2").astype("<u4") << 16
    exact = merged(base, {UP: pair} if pair else pairs, {UP: 1}, False)[UP + ".weight"]
    found = bits.view("<f4").astype(np.float64).reshape(exact.shape)
    step = 2.0 ** (np.floor(np.log2(np.abs(exact))) - 7)
    assert (np.abs(found - exact) <= step / 2 * (1 + 1e-9)).all()


def test_a_sum_that_does_not_fit_is_named(runner, model_folder, tmp_path):
    base = model_folder("llama-bf16")
    huge = {f"base_model.model.{UP}.lora_{name}.weight": np.full(shape, 1e30, np.float32) for name, shape in (("A", (4, 96)), ("B", (96, 4)))}
    adapter(tmp_path / "lora", base, [UP], tensors=huge)
    error = runner.fail(1, "encrypt", base, "-k", runner.key, "-o", tmp_path / "out", "--lora", tmp_path / "lora")
    assert f"tensor '{UP}.weight', row 0" in error and "is not finite in BF16" in error, error


def test_verify_and_identity_cover_the_adapter(runner, model_folder, tmp_path):
    base = model_folder("llama-gqa")
    adapter(tmp_path / "lora", base, LLAMA)
    adapter(tmp_path / "other", base, LLAMA, lora_alpha=7)
    a = f"base_model.model.{LLAMA[0]}.lora_A.weight"
    adapter(tmp_path / "further", base, LLAMA, tensors={a: safetensors.numpy.load_file(tmp_path / "lora/adapter_model.safetensors")[a] * 1.01})
    out = tmp_path / "out"
    runner.encrypt(base, out, "--lora", tmp_path / "lora", "--to", "gguf")
    check = ["verify", "--plain", base, "--encrypted", out, "-k", runner.key]
    assert runner.run(*check, "--lora", tmp_path / "lora")["match"]
    for args in ([], ["--lora", tmp_path / "other"], ["--lora", tmp_path / "further"]):
        assert "is not the model that was encrypted" in runner.fail(3, *check, *args)
    manifest = json.loads((out / "client/manifest.json").read_text())
    assert "adapter_model.safetensors" in json.dumps(manifest)
    treatment = {t["name"]: t["treatment"] for t in manifest["tensors"]}
    assert "LoRA adapter merged in" in treatment["blk.0.attn_q.weight"][0] and "LoRA" not in treatment["blk.0.attn_k.weight"][0]


def test_another_adapter_makes_another_model(runner, model_folder, tmp_path):
    """The plan says names alone, so it is the identity that keys and interrupted runs tell the two apart by."""
    base = model_folder("llama-gqa")
    adapter(tmp_path / "one", base, LLAMA)
    adapter(tmp_path / "two", base, LLAMA, lora_alpha=7)
    plans = [runner.run("encrypt", base, "--dry-run", "--lora", tmp_path / name) for name in ("one", "two")]
    assert plans[0] == plans[1]
    (tmp_path / "two.out.partial").mkdir()
    (tmp_path / "two.out.partial/journal").write_text("isoveil-journal 2 of another model\n")
    runner.encrypt(base, tmp_path / "out", "--lora", tmp_path / "one")
    assert "another model" in runner.fail(1, "encrypt", base, "-k", runner.key, "-o", tmp_path / "two.out", "--lora", tmp_path / "two")
    shutil.rmtree(tmp_path / "two.out.partial")
    runner.encrypt(base, tmp_path / "two.out", "--lora", tmp_path / "two")
    identities = {json.loads((tmp_path / out / "client/manifest.json").read_text())["model_identity"] for out in ("out", "two.out")}
    assert len(identities) == 2 and not list(tmp_path.rglob(".scratch*"))


@pytest.mark.parametrize("config, words", [
    ({"use_dora": True}, ["use_dora"]),
    ({"modules_to_save": ["lm_head"]}, ["modules_to_save"]),
    ({"bias": "lora_only"}, ["bias"]),
    ({"lora_bias": True}, ["lora_bias"]),
    ({"init_lora_weights": "pissa"}, ["init_lora_weights", "pissa"]),
    ({"peft_type": "LOHA"}, ["peft_type", "LOHA"]),
    ({"layer_replication": [[0, 1]]}, ["layer_replication"]),
    ({"some_new_field": 3}, ["some_new_field"]),
    ({"alpha_pattern": {"^model.*q_proj": 3}}, ["alpha_pattern", "regular expression"]),
    ({"r": 5}, ["rank", "expected rank 5", "found 4"]),
    ({"fan_in_fan_out": True}, ["q_proj", "fan_in_fan_out"]),
])
def test_what_is_more_than_a_product_is_refused(runner, model_folder, tmp_path, config, words):
    base = model_folder("llama-untied")
    adapter(tmp_path / "lora", base, LLAMA[:1])
    path = tmp_path / "lora/adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **config}))
    error = runner.fail(1, "encrypt", base, "--dry-run", "--lora", tmp_path / "lora")
    assert all(word in error for word in words), error


@pytest.mark.parametrize("tensors, words", [
    ({"base_model.model.lm_head.weight": (3, 4)}, ["lm_head.weight", "no A or B"]),
    ({"base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector": (4,)}, ["lora_magnitude_vector"]),
    ({"base_model.model.model.embed_tokens.lora_embedding_A": (4, 9)}, ["lora_embedding_A"]),
    ({"base_model.model.model.layers.7.mlp.up_proj.lora_A.weight": (4, 64)}, ["A or B but not both"]),
    ({"base_model.model.model.layers.7.mlp.up_proj.lora_A.weight": (4, 64),
      "base_model.model.model.layers.7.mlp.up_proj.lora_B.weight": (96, 4)}, ["layers.7.mlp.up_proj", "does not have"]),
    ({"base_model.model.model.layers.0.mlp.up_proj.lora_A.weight": (4, 63),
      "base_model.model.model.layers.0.mlp.up_proj.lora_B.weight": (96, 4)}, ["from 63 to 96", "[96, 64]"]),
    ({"base_model.model.model.layers.0.mlp.up_proj.lora_A.weight": (4, 64),
      "base_model.model.model.layers.0.mlp.up_proj.lora_B.weight": (96, 3)}, ["common rank"]),
])
def test_tensors_that_do_not_fit_are_named(runner, model_folder, tmp_path, tensors, words):
    base = model_folder("llama-gqa")
    adapter(tmp_path / "lora", base, LLAMA[:1], tensors={name: np.ones(shape, np.float32) for name, shape in tensors.items()})
    error = runner.fail(1, "encrypt", base, "--dry-run", "--lora", tmp_path / "lora")
    assert all(word in error for word in words), error


def test_a_copy_of_a_tied_head_is_not_adapted_in_vain(runner, model_folder, tmp_path):
    base = changed(model_folder("llama-gqa"), tmp_path / "base", lambda ts: {**ts, "lm_head.weight": ts["model.embed_tokens.weight"].copy()})
    adapter(tmp_path / "lora", base, ["lm_head"])
    error = runner.fail(1, "encrypt", base, "--dry-run", "--lora", tmp_path / "lora")
    assert "lm_head.weight" in error and "tie_word_embeddings" in error


def test_gguf_and_folders_without_an_adapter_are_refused(runner, model_folder, tmp_path):
    base = model_folder("llama-gqa")
    adapter(tmp_path / "lora", base, LLAMA[:1])
    runner.run("convert", base, "-o", tmp_path / "plain")
    error = runner.fail(1, "encrypt", tmp_path / "plain/model.gguf", "--dry-run", "--lora", tmp_path / "lora")
    assert "llama-export-lora" in error
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "adapter_config.json" in runner.fail(1, "encrypt", base, "--dry-run", "--lora", empty)
