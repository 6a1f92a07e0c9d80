"""A Hugging Face folder as GGUF is the same function: llama-server on the conversion against transformers on the folder, or
against this project's own reference where transformers is older than the family."""

import json
import shutil
import urllib.request

import numpy as np
import pytest
from conftest import post, serving

import reference

YARN = {"rope_type": "yarn", "factor": 4.0}
CARRIED = {
    "plain": ("llama-gqa", {}),
    "linear": ("llama-gqa", {"rope_scaling": {"rope_type": "linear", "factor": 4.0}}),
    "yarn": ("llama-width-192", {"rope_scaling": YARN}),
    "yarn-betas": ("llama-width-192", {"rope_scaling": YARN | {"beta_fast": 8.0, "beta_slow": 2.0}}),
    "yarn-attention": ("llama-width-192", {"rope_scaling": YARN | {"attention_factor": 1.4}}),
    "yarn-all": ("llama-width-192", {"rope_scaling": YARN | {"beta_fast": 4.0, "beta_slow": 0.5, "attention_factor": 0.8}}),
    "llama3": ("llama3-rope", {}),
    "qwen2": ("qwen2", {}),
    "gpt2": ("gpt2", {}),
    "qwen3": ("qwen3", {}),
    "qwen3-moe": ("qwen3-moe-everywhere", {}),
    "olmo2": ("olmo2", {}),
    "smollm3": ("smollm3", {}),
}
REFUSED = {
    "scale_attn_weights": ("gpt2", {"scale_attn_weights": False}),
    "scale_attn_by_inverse_layer_idx": ("gpt2", {"scale_attn_by_inverse_layer_idx": True}),
    "activation_function": ("gpt2", {"activation_function": "relu"}),
    "rope_scaling": ("llama-gqa", {"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}}),
    "rope_scaling.new_factor": ("llama-width-192", {"rope_scaling": YARN | {"new_factor": 3}}),
    "rope_scaling for a graph without factors": ("qwen2", {"rope_scaling": YARN}),
    "sliding_window": ("llama-gqa", {"sliding_window": 0}),
    "mlp_only_layers": ("qwen3-moe", {}),
    "norm_topk_prob": ("qwen3-moe-everywhere", {"norm_topk_prob": False}),
    "no_rope_layers": ("smollm3", {"no_rope_layers": [1, 0, 1, 0, 1]}),
    "llama.rope.freq_base beyond a float": ("llama-gqa", {"rope_theta": 1e300}),
    "llama.attention.layer_norm_rms_epsilon beyond a float": ("llama-gqa", {"rms_norm_eps": 1e39}),
    "rope_freqs.weight divided by zero": ("llama-width-192", {"rope_scaling": YARN | {"factor": 0}}),
    "rope_freqs.weight of a negative logarithm": ("llama-width-192", {"rope_scaling": YARN | {"beta_fast": -1}}),
}


@pytest.fixture
def changed(model_folder, tmp_path):
    def make(name, fields):
        shutil.copytree(model_folder(name), tmp_path / "source")
        path = tmp_path / "source/config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))
        return tmp_path / "source"

    return make


def probabilities(llama, gguf, prompts):
    """(prompt, its eight most probable next ids with their log probabilities) of most prompts"""
    with serving(llama / "llama-server", gguf, "-ctk", "f32", "-ctv", "f32", "-fa", "off") as url:
        for prompt in prompts:
            answer = post(url + "/completion", {"prompt": prompt, "n_predict": 1, "temperature": 0, "n_probs": 8, "ignore_eos": True})
            # The server keeps them to itself where the id that it drew is a part of a character.
            for told in answer.get("completion_probabilities", []):
                yield prompt, {entry["id"]: entry["logprob"] for entry in told["top_logprobs"]}


def transformers_log_softmax(folder, prompts):
    import torch
    import transformers
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32, attn_implementation="eager").eval()
    with torch.no_grad():
        return [model(torch.tensor([prompt])).logits[0, -1].double().log_softmax(-1).numpy() for prompt in prompts]


def log_softmax(folder, prompts):
    # Newer than the transformers here.
    if json.loads((folder / "config.json").read_text())["model_type"] not in ("qwen3", "qwen3_moe", "olmo2", "smollm3"):
        return transformers_log_softmax(folder, prompts)
    last = [reference.logits(folder, prompt)[-1] for prompt in prompts]
    return [x - x.max() - np.log(np.exp(x - x.max()).sum()) for x in last]


def compare(runner, llama, folder, tmp_path, lengths):
    runner.run("convert", folder, "-o", tmp_path / "gguf")
    random = np.random.default_rng(5)
    prompts = [random.integers(5, 250, n).tolist() for n in lengths for _ in range(3)]
    told = list(probabilities(llama, tmp_path / "gguf/model.gguf", prompts))
    assert {len(prompt) for prompt, _ in told} == set(lengths)
    worst = 0
    for (_, likely), right in zip(told, log_softmax(folder, [prompt for prompt, _ in told])):
        assert len(likely) == 8
        worst = max(worst, max(abs(right[i] - logprob) for i, logprob in likely.items()))
    return worst


@pytest.mark.parametrize("case", CARRIED)
def test_what_a_configuration_says_is_carried(runner, llama, changed, tmp_path, case):
    # llama.cpp takes GELU from a table of fp16 values.
    assert compare(runner, llama, changed(*CARRIED[case]), tmp_path, [3, 30, 100]) < (2e-3 if case == "gpt2" else 1e-4)


@pytest.mark.parametrize("field", REFUSED)
def test_what_gguf_cannot_say_is_refused_by_name(runner, changed, tmp_path, field):
    folder = changed(*REFUSED[field])
    for command in (["encrypt", folder, "-k", runner.key, "-o", tmp_path / "out", "--to", "gguf"],
                    ["encrypt", folder, "-k", runner.key, "-o", tmp_path / "out", "--to", "gguf", "--dry-run"],
                    ["convert", folder, "-o", tmp_path / "gguf"]):
        assert "config.json: " + field.split(" ")[0] in runner.fail(1, *command)
    assert not (tmp_path / "out").exists() and not (tmp_path / "gguf").exists()


def test_a_sliding_window_is_the_context(runner, llama, changed, tmp_path):
    folder = changed("llama-gqa", {"sliding_window": 32, "architectures": ["MistralForCausalLM"], "model_type": "mistral"})
    assert compare(runner, llama, folder, tmp_path, [3, 31]) < 1e-4
    with serving(llama / "llama-server", tmp_path / "gguf/model.gguf") as url:
        models = json.load(urllib.request.urlopen(url + "/v1/models"))
    assert models["data"][0]["meta"]["n_ctx_train"] == 32


def test_the_plan_lists_what_is_dropped(runner, changed, tmp_path):
    folder = changed("llama-gqa", {"_name_or_path": "secret", "use_cache": True, "unheard_of": 3})
    for to, gone in ((["--to", "gguf"], {"_name_or_path", "use_cache", "unheard_of"}), ([], {"_name_or_path", "unheard_of"})):
        plan = runner.run("encrypt", folder, "-k", runner.key, "-o", tmp_path / "out", *to, "--dry-run")
        dropped = {name.removeprefix("config.json: ") for name in plan["dropped_fields"]}
        assert gone <= dropped
        assert not dropped & {"rope_theta", "sliding_window", "rms_norm_eps", "hidden_size", "vocab_size", "architectures"}
