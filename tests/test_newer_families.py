"""Families that the pinned transformers is too old for, in a newer one: encrypted, in both profiles, fp64."""

import json
import os
import pathlib
import subprocess

import numpy as np
import pytest

import models
from families import GROUPED, WIDE
from test_families import BOUND, ids_of

PYTHON = os.environ.get("ISOVEIL_VLLM")
pytestmark = pytest.mark.skipif(not PYTHON, reason="a newer transformers comes with vLLM: scripts/test --engines installs it")

SLIDING = dict(sliding_window=8, layer_types=["sliding_attention", "full_attention", "sliding_attention"], num_hidden_layers=3)
NEWER = {
    "smollm3": ("SmolLM3ForCausalLM", dict(GROUPED, num_hidden_layers=5, head_dim=8)),
    "smollm3-irregular": ("SmolLM3ForCausalLM", dict(GROUPED, num_hidden_layers=3, no_rope_layers=[0, 1, 0], tie_word_embeddings=True)),
    "ministral": ("MinistralForCausalLM", dict(GROUPED, head_dim=12, **SLIDING)),
    "ministral3": ("Ministral3ForCausalLM", dict(GROUPED, head_dim=16, rope_parameters={
        "rope_type": "yarn", "rope_theta": 1e6, "factor": 4.0, "original_max_position_embeddings": 16, "max_position_embeddings": 64,
        "beta_fast": 32.0, "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0, "llama_4_scaling_beta": 0.1})),
    "seed-oss": ("SeedOssForCausalLM", dict(GROUPED, head_dim=12, attention_bias=True, attention_out_bias=False)),
    "seed-oss-all-biases": ("SeedOssForCausalLM", dict(GROUPED, head_dim=8, attention_bias=True, attention_out_bias=True, mlp_bias=True)),
    "olmo3": ("Olmo3ForCausalLM", dict(GROUPED, **SLIDING)),
    "exaone4": ("Exaone4ForCausalLM", dict(GROUPED, **SLIDING)),
    "exaone4-full": ("Exaone4ForCausalLM", dict(GROUPED, sliding_window=None, layer_types=["full_attention"] * 2)),
    "cohere2": ("Cohere2ForCausalLM", dict(GROUPED, **SLIDING)),
    "gemma3": ("Gemma3ForCausalLM", dict(GROUPED, head_dim=16, query_pre_attn_scalar=24, **SLIDING)),
    "gemma3-bidirectional": ("Gemma3ForCausalLM", dict(GROUPED, head_dim=16, use_bidirectional_attention=True, **SLIDING)),
    "qwen3": ("Qwen3ForCausalLM", dict(GROUPED, head_dim=12)),
    "olmo2": ("Olmo2ForCausalLM", dict(WIDE)),
}


class Worker:
    def __init__(self):
        path = pathlib.Path(__file__).parent / "newer_worker.py"
        self.process = subprocess.Popen([PYTHON, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def ask(self, do, **question):
        self.process.stdin.write(json.dumps({"do": do, **question}, default=str) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@pytest.fixture(scope="module")
def worker():
    worker = Worker()
    yield worker
    worker.process.stdin.close()
    worker.process.wait()
    worker.process.stdout.close()


@pytest.fixture(scope="module")
def folders(worker, tmp_path_factory):
    made = {}

    def make(name):
        if name not in made:
            folder = tmp_path_factory.mktemp("newer") / name
            folder.mkdir()
            t = models.tokenizer(None)
            hf_class, config = NEWER[name]
            ids = {f"{kind}_token_id": t.token_to_id(f"<|{kind}|>") for kind in ("bos", "eos", "pad")}
            worker.ask("make", folder=str(folder), seed=sum(map(ord, name)), **{"class": hf_class},
                       config=dict(config, vocab_size=t.get_vocab_size() + 5, **ids))
            t.save(str(folder / "tokenizer.json"))
            (folder / "tokenizer_config.json").write_text(json.dumps({
                "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|bos|>", "eos_token": "<|eos|>", "pad_token": "<|pad|>"}))
            made[name] = folder
        return made[name]
    return make


@pytest.mark.parametrize("profile", ["exact", "rotated"])
@pytest.mark.parametrize("name", NEWER)
def test_logits_are_those_of_the_plaintext_model(runner, worker, folders, name, profile, tmp_path):
    folder = folders(name)
    runner.encrypt(folder, tmp_path / "out", "--profile", profile)
    permutation = np.array(runner.permutation(tmp_path / "out", json.loads((folder / "config.json").read_text())["vocab_size"]))
    rows = [np.array(row) for row in ids_of(folder)]
    plain = worker.ask("logits", folder=str(folder), rows=[row.tolist() for row in rows])["logits"]
    found = worker.ask("logits", folder=str(tmp_path / "out/server"), rows=[permutation[row].tolist() for row in rows])["logits"]
    span = max(np.max(a) for a in plain) - min(np.min(a) for a in plain)
    worst = max(np.abs(np.array(a) - np.array(b)[:, permutation]).max() for a, b in zip(plain, found))
    print(f"{name} {profile} {worst / span:.1e}")
    assert span > 1 and worst < BOUND[profile] * span
    stored, source = models.read_folder(tmp_path / "out/server"), models.read_folder(folder)
    assert source.keys() <= stored.keys()
    for tensor, (values, _, _) in source.items():
        # Gains that all heads share stay as they are, up to signs.
        shared = "q_norm" in tensor or "k_norm" in tensor
        assert shared or not np.array_equal(values, stored[tensor][0]), f"{tensor} is left in plaintext"


@pytest.mark.parametrize("name", NEWER)
def test_greedy_answers_with_a_cache(runner, worker, folders, name, tmp_path):
    folder = folders(name)
    runner.encrypt(folder, tmp_path / "out")
    permutation = runner.permutation(tmp_path / "out", json.loads((folder / "config.json").read_text())["vocab_size"])
    row = [int(i) for i in ids_of(folder)[0]][:6]
    plain = worker.ask("greedy", folder=str(folder), row=row, n=64)["ids"]
    found = worker.ask("greedy", folder=str(tmp_path / "out/server"), row=[permutation[i] for i in row], n=64)["ids"]
    assert found == [permutation[i] for i in plain]
