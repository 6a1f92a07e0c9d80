"""Write a checkpoint as a Hugging Face folder in BF16.

    export.py --state DIR --out ../../models/front-desk

The tokenizer's files are already in the folder (vocabulary.py); this adds the weights and the two configurations, and
copies the loss curve next to them.
"""
from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from model import ModelSettings
from vocabulary import BOS, END, EOT


def hf_config(s: ModelSettings, tokenizer: Tokenizer) -> dict:
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "bfloat16",
        "vocab_size": s.vocab, "hidden_size": s.width, "num_hidden_layers": s.layers, "num_attention_heads": s.heads,
        "num_key_value_heads": s.kv_heads, "head_dim": s.head_dim, "intermediate_size": s.ffn, "hidden_act": "silu",
        "max_position_embeddings": s.context, "rope_theta": s.rope_theta, "rope_scaling": None, "rms_norm_eps": s.norm_eps,
        "attention_bias": False, "mlp_bias": False, "attention_dropout": 0.0, "tie_word_embeddings": True,
        "initializer_range": 0.02, "use_cache": True, "bos_token_id": tokenizer.token_to_id(BOS), **end_ids(tokenizer)}


def end_ids(tokenizer: Tokenizer) -> dict:
    return {"eos_token_id": [tokenizer.token_to_id(EOT), tokenizer.token_to_id(END)],
            "pad_token_id": tokenizer.token_to_id(END)}


def export(weights: dict[str, torch.Tensor], settings: ModelSettings, folder: Path) -> None:
    """torch rounds fp32 to bf16 to nearest, ties to even. The head is tied, so it is not stored."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    path = folder / "model.safetensors"
    save_file({name: weight.to(torch.bfloat16).contiguous() for name, weight in sorted(weights.items())}, str(path),
              metadata={"format": "pt"})
    path.chmod(0o644)  # safetensors leaves it readable by its owner only
    (folder / "config.json").write_text(json.dumps(hf_config(settings, tokenizer), indent=2) + "\n")
    generation = {"bos_token_id": tokenizer.token_to_id(BOS), **end_ids(tokenizer), "do_sample": False}
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[2] / "models" / "front-desk")
    options = parser.parse_args()
    saved = torch.load(options.state / "checkpoint.pt", map_location="cpu")
    export(saved["model"], ModelSettings(**saved["settings"]), options.out)
    shutil.copyfile(options.state / "loss.csv", options.out / "loss.csv")
    print(f"step {saved['progress']['step']}: {options.out.name}")


if __name__ == "__main__":
    main()
