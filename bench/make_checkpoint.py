"""Writes a random checkpoint of Llama-3.2-1B's shape as a Hugging Face folder in BF16, streaming.

    python3 bench/make_checkpoint.py FOLDER [--layers 16]
"""

import argparse
import json
import pathlib
import struct

import numpy as np

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("folder", type=pathlib.Path)
parser.add_argument("--layers", type=int, default=16)
arguments = parser.parse_args()
VOCAB, WIDTH, FFN, HEADS, KV_HEADS, HEAD_DIM = 128256, 2048, 8192, 32, 8, 64

shapes = {"model.embed_tokens.weight": (VOCAB, WIDTH), "model.norm.weight": (WIDTH,)}
for i in range(arguments.layers):
    p = f"model.layers.{i}."
    shapes |= {p + "input_layernorm.weight": (WIDTH,), p + "post_attention_layernorm.weight": (WIDTH,),
               p + "self_attn.q_proj.weight": (HEADS * HEAD_DIM, WIDTH), p + "self_attn.k_proj.weight": (KV_HEADS * HEAD_DIM, WIDTH),
               p + "self_attn.v_proj.weight": (KV_HEADS * HEAD_DIM, WIDTH), p + "self_attn.o_proj.weight": (WIDTH, HEADS * HEAD_DIM),
               p + "mlp.gate_proj.weight": (FFN, WIDTH), p + "mlp.up_proj.weight": (FFN, WIDTH), p + "mlp.down_proj.weight": (WIDTH, FFN)}
header, end = {"__metadata__": {"format": "pt"}}, 0
for name, shape in shapes.items():
    size = 2 * int(np.prod(shape))
    header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + size]}
    end += size
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)

arguments.folder.mkdir(parents=True)
rng = np.random.default_rng(1)
with open(arguments.folder / "model.safetensors", "wb") as out:
    out.write(struct.pack("<Q", len(text)) + text)
    written = 0
    while written < end:
        values = rng.standard_normal(1 << 22, dtype=np.float32) * np.float32(0.02)
        piece = (values.view("<u4") >> 16).astype("<u2").tobytes()[:end - written]
        out.write(piece)
        written += len(piece)
config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": WIDTH, "intermediate_size": FFN,
          "num_hidden_layers": arguments.layers, "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "head_dim": HEAD_DIM,
          "vocab_size": VOCAB, "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
          "hidden_act": "silu", "tie_word_embeddings": True, "bos_token_id": 128000, "eos_token_id": 128001}
(arguments.folder / "config.json").write_text(json.dumps(config))
# A small byte-level vocabulary; the other rows of the embedding are unused ones.
visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
letters = [chr(b) for b in visible] + [chr(256 + i) for i in range(256 - len(visible))]
tokenizer = {"version": "1.0", "added_tokens": [
    {"id": 128000, "content": "<|begin|>", "special": True, "normalized": False, "single_word": False, "lstrip": False, "rstrip": False},
    {"id": 128001, "content": "<|end|>", "special": True, "normalized": False, "single_word": False, "lstrip": False, "rstrip": False}],
    "normalizer": None, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
    "post_processor": None, "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "vocab": {letter: i for i, letter in enumerate(letters)} | {letters[0] + letters[1]: 256},
              "merges": [[letters[0], letters[1]]]}}
(arguments.folder / "tokenizer.json").write_text(json.dumps(tokenizer))
