"""Random-weight models of odd shapes as Hugging Face folders, the same on every machine.

Weights have a spread that makes greedy decoding vary. `make` also keeps the fp32 weights beside the stored ones
(reference.npz), from which the rounding of a storage type can be told.
"""

import json
import pathlib
import struct

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

import modernbert

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
TEXT = ["the front desk of the clinic opens at eight and closes at six, please bring your card",
        "a little girl named Lily went to the park with her mom and saw a big red ball",
        "Die Sprechstunde beginnt um 8:30 Uhr; bitte bringen Sie 12,50 € mit.",
        "日本語のテキストと中文文本 и немного русского текста"]
SPECIAL = ["<|bos|>", "<|eos|>", "<|pad|>", "<|user|>", "<|end|>"]
CHAT_SPECIAL = ["<|im_start|>", "<|im_end|>"]
CHATML = ("{%- if tools %}<|im_start|>system\nTools: {{ tools | tojson }}<|im_end|>\n{% endif %}"
          "{%- for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}"
          "{%- if message.tool_calls %}{% for call in message.tool_calls %}\n<tool_call>"
          "{{ call.function | tojson }}</tool_call>{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
          "{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
CORPUS = pathlib.Path(__file__).parent / "vectors/tokenizer/corpus.json"


def llama(width=64, layers=2, heads=4, kv_heads=2, head_dim=None, ffn=96, tied=True, biases=False, dtype="F32",
          shards=1, kind="llama", head_norm=None, post_norm=False, experts=0, dense=1, regex=LLAMA3, rope_scaling=None, theta=10000.0, padding=11, context=256, chat=False,
          hf_class="LlamaForCausalLM", model_type="llama", norms=None, origin=0, extra={}):
    """`biases`: False, True for all of them, or the projections that have one. `norms`: those of a layer's width, by their names;
    `origin`: what gains are stored less by. `dense`: layers in front of those with
    experts. `extra`: further members of the configuration."""
    return dict(locals())


def gpt2(width=48, layers=2, heads=4, dtype="F32", shards=1, prefix="transformer.", regex=None, padding=0):
    return dict(locals(), kind="gpt2", chat=False)


# Not in MODELS either: as many weights as the largest mixtures of experts have tensors.
MANY = {"llama-many-weights": llama(width=2, layers=4090, heads=1, kv_heads=1, ffn=2, biases="qkv", regex=QWEN2, tied=False,
                                    hf_class="Qwen2ForCausalLM", model_type="qwen2")}


def bert(width=48, layers=2, heads=4, ffn=112, dtype="F64", prefix="", pooler=True):
    """An encoder; not in MODELS, whose tests are about logits."""
    return dict(locals(), kind="bert", chat=False, regex=None, padding=3, shards=1)


ENCODERS = {
    "bert": bert(),
    "bert-f32": bert(dtype="F32", heads=3, ffn=100),
    "bert-prefixed": bert(dtype="F32", prefix="bert.", pooler=False, layers=3),
}
MODELS = {
    "llama-tied": llama(),
    "llama-untied": llama(tied=False, padding=0),
    "llama-gqa": llama(width=64, heads=8, kv_heads=2),
    "llama-mqa": llama(heads=4, kv_heads=1, regex=QWEN2),
    "llama-odd-head": llama(width=48, heads=3, kv_heads=3, head_dim=24, ffn=100),
    "llama-width-192": llama(width=192, heads=6, kv_heads=2, layers=1, ffn=172),
    "llama-biases": llama(biases=True),
    "llama-sharded": llama(shards=3, tied=False),
    "llama3-rope": llama(theta=500000.0, rope_scaling={"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                                                        "high_freq_factor": 4.0, "original_max_position_embeddings": 32}),
    "llama-bf16": llama(width=96, heads=6, kv_heads=3, layers=3, dtype="BF16"),
    "llama-f16": llama(dtype="F16"),
    "llama-256": llama(width=256, heads=8, kv_heads=4, ffn=512, tied=False, padding=0),
    "llama-chat": llama(tied=False, padding=7, context=4096, chat=True),
    "qwen2": llama(heads=8, kv_heads=2, biases="qkv", regex=QWEN2, theta=1e6, hf_class="Qwen2ForCausalLM", model_type="qwen2"),
    "qwen2-untied": llama(width=48, heads=3, kv_heads=1, layers=3, tied=False, biases="qkv", regex=QWEN2, dtype="BF16",
                          hf_class="Qwen2ForCausalLM", model_type="qwen2"),
    "qwen3": llama(heads=8, kv_heads=2, head_dim=12, regex=QWEN2, head_norm="each", hf_class="Qwen3ForCausalLM", model_type="qwen3"),
    "olmo2": llama(heads=6, kv_heads=3, width=48, tied=False, head_norm="all", post_norm=True, hf_class="Olmo2ForCausalLM",
                   model_type="olmo2"),
    "smollm3": llama(heads=8, kv_heads=2, layers=5, hf_class="SmolLM3ForCausalLM", model_type="smollm3",
                     extra={"no_rope_layers": [1, 1, 1, 0, 1], "no_rope_layer_interval": 4}),
    "gpt2": gpt2(),
    "gpt2-width-100": gpt2(width=100, heads=5, prefix=""),
    "gpt2-bf16": gpt2(width=64, dtype="BF16"),
}


# Families without a conversion to GGUF.
WINDOW = {"sliding_window": 128, "layer_types": ["sliding_attention", "full_attention"]}
FOLDERS = {
    "modernbert": modernbert.modernbert(),
    "modernbert-biases": modernbert.modernbert(width=36, heads=3, ffn=21, layers=4, biases=True, tied=False),
    "qwen3-moe": llama(heads=8, kv_heads=2, head_dim=12, regex=QWEN2, head_norm="each", experts=5, layers=3, hf_class="Qwen3MoeForCausalLM",
                       model_type="qwen3_moe"),
    "qwen3-moe-everywhere": llama(heads=8, kv_heads=2, head_dim=12, regex=QWEN2, head_norm="each", experts=5, dense=0, hf_class="Qwen3MoeForCausalLM",
                                  model_type="qwen3_moe"),
    "ministral": llama(heads=8, kv_heads=2, head_dim=12, tied=False, hf_class="MinistralForCausalLM", model_type="ministral", extra=WINDOW),
    "seed-oss": llama(heads=8, kv_heads=2, head_dim=12, biases="qkv", tied=False, hf_class="SeedOssForCausalLM", model_type="seed_oss"),
    "olmo3": llama(heads=6, kv_heads=3, width=48, tied=False, head_norm="all", post_norm=True, hf_class="Olmo3ForCausalLM", model_type="olmo3",
                   extra=WINDOW),
    "exaone4": llama(heads=6, kv_heads=3, width=48, tied=False, head_norm="each", post_norm=True, hf_class="Exaone4ForCausalLM", model_type="exaone4",
                     extra=WINDOW),
    "cohere2": llama(heads=8, kv_heads=2, norms=("input",), hf_class="Cohere2ForCausalLM", model_type="cohere2",
                     extra={"layer_norm_eps": 1e-5, "logit_scale": 0.25, **WINDOW}),
    "gemma3": llama(heads=8, kv_heads=2, head_dim=12, head_norm="each", norms=("input", "post_attention", "pre_feedforward", "post_feedforward"), origin=1,
                    hf_class="Gemma3ForCausalLM", model_type="gemma3_text", theta=1e6,
                    extra={"hidden_activation": "gelu_pytorch_tanh", "query_pre_attn_scalar": 24, "rope_local_base_freq": 10000.0, **WINDOW}),
}


def tokenizer(regex, chat=False):
    t = Tokenizer(models.BPE(ignore_merges=regex == LLAMA3))
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=regex is None)
    t.pre_tokenizer = level if regex is None else pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(regex), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=900 if chat else 300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  show_progress=False)
    t.train_from_iterator(TEXT * 4 + (json.loads(CORPUS.read_text()) if chat else []), trainer)
    t.add_special_tokens(SPECIAL + (CHAT_SPECIAL if chat else []))
    return t


def to_bytes(array, dtype):
    if dtype == "F64":
        return array.astype("<f8").tobytes()
    if dtype == "F32":
        return array.astype("<f4").tobytes()
    if dtype == "F16":
        return array.astype("<f2").tobytes()
    bits = array.astype("<f4").view("<u4").astype(np.uint64)
    return (((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")).tobytes()


def write_safetensors(path, tensors, dtype):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, array in tensors.items():
        raw = to_bytes(array, dtype)
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def read_safetensors(path):
    """{name: (array in fp64, raw integer array, dtype)}"""
    raw = pathlib.Path(path).read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    tensors = {}
    for name, entry in json.loads(raw[8:8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        piece = raw[8 + size + begin:8 + size + end]
        if entry["dtype"] == "F64":
            bits = np.frombuffer(piece, "<u8")
            values = bits.view("<f8")
        elif entry["dtype"] == "F32":
            bits = np.frombuffer(piece, "<u4")
            values = bits.view("<f4")
        elif entry["dtype"] == "F16":
            bits = np.frombuffer(piece, "<u2")
            values = bits.view("<f2")
        else:
            bits = np.frombuffer(piece, "<u2")
            values = (bits.astype("<u4") << 16).view("<f4")
        tensors[name] = (values.astype(np.float64).reshape(entry["shape"]), bits, entry["dtype"])
    return tensors


def read_folder(folder):
    tensors = {}
    for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
        tensors.update(read_safetensors(path))
    return tensors


def llama_tensors(c, n_vocab, rng):
    d, f = c["width"], c["ffn"]
    h = c["head_dim"] or d // c["heads"]
    q, kv = c["heads"] * h, c["kv_heads"] * h
    matrix = lambda *shape: rng.normal(0, 1.2 / np.sqrt(shape[-1]), shape)
    gain = lambda width=d: 1 - c["origin"] + rng.uniform(-0.3, 0.3, width)
    t = {"model.embed_tokens.weight": rng.normal(0, 1, (n_vocab, d))}
    for i in range(c["layers"]):
        p = f"model.layers.{i}."
        for norm in c["norms"] or (("post_attention", "post_feedforward") if c["post_norm"] else ("input", "post_attention")):
            t[f"{p}{norm}_layernorm.weight"] = gain()
        for name, width in (("q_norm", q), ("k_norm", kv)) if c["head_norm"] else ():
            t[f"{p}self_attn.{name}.weight"] = gain(h if c["head_norm"] == "each" else width)
        ffn = [("gate_proj", (f, d)), ("up_proj", (f, d)), ("down_proj", (d, f))]
        sparse = c["experts"] and i >= c["dense"]
        if sparse:
            ffn = [("gate", (c["experts"], d))] + [(f"experts.{e}.{name}", shape) for e in range(c["experts"]) for name, shape in ffn]
        for name, shape in [("self_attn.q_proj", (q, d)), ("self_attn.k_proj", (kv, d)), ("self_attn.v_proj", (kv, d)),
                            ("self_attn.o_proj", (d, q))] + [(f"mlp.{name}", shape) for name, shape in ffn]:
            t[p + name + ".weight"] = matrix(*shape)
            if c["biases"] is True or c["biases"] and name in {f"self_attn.{p}_proj" for p in c["biases"]}:
                t[p + name + ".bias"] = rng.normal(0, 0.3, shape[0])
    t["model.norm.weight"] = gain()
    if not c["tied"]:
        t["lm_head.weight"] = matrix(n_vocab, d) * 2
    else:
        t["model.embed_tokens.weight"] *= 0.3
    config = {"architectures": [c["hf_class"]], "model_type": c["model_type"], "hidden_size": d, "intermediate_size": f,
              "num_hidden_layers": c["layers"], "num_attention_heads": c["heads"], "num_key_value_heads": c["kv_heads"],
              "head_dim": h, "vocab_size": n_vocab, "max_position_embeddings": c["context"], "rms_norm_eps": 1e-5,
              "rope_theta": c["theta"], "rope_scaling": c["rope_scaling"], "hidden_act": "silu",
              "tie_word_embeddings": c["tied"], "attention_bias": c["biases"] is True, "mlp_bias": c["biases"] is True,
              "_name_or_path": "secret/base-model", **c["extra"]}
    if c["experts"]:
        config.update(num_experts=c["experts"], num_experts_per_tok=2, moe_intermediate_size=f, norm_topk_prob=True, mlp_only_layers=list(range(c["dense"])))
    return t, config


def gpt2_tensors(c, n_vocab, rng):
    d, f = c["width"], 4 * c["width"]
    t = {"wte.weight": rng.normal(0, 0.3, (n_vocab, d)), "wpe.weight": rng.normal(0, 0.2, (128, d))}
    norm = lambda p: {p + ".weight": 1 + rng.uniform(-0.3, 0.3, d), p + ".bias": rng.normal(0, 0.2, d)}
    for i in range(c["layers"]):
        p = f"h.{i}."
        t.update(norm(p + "ln_1"))
        for name, shape in (("attn.c_attn", (d, 3 * d)), ("attn.c_proj", (d, d)), ("mlp.c_fc", (d, f)), ("mlp.c_proj", (f, d))):
            if name == "mlp.c_fc":
                t.update(norm(p + "ln_2"))
            t[p + name + ".weight"] = rng.normal(0, 1.2 / np.sqrt(shape[0]), shape)
            t[p + name + ".bias"] = rng.normal(0, 0.3, shape[1])
    t.update(norm("ln_f"))
    config = {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_embd": d, "n_layer": c["layers"], "n_ctx": 128,
              "n_head": c["heads"], "n_positions": 128, "vocab_size": n_vocab, "activation_function": "gelu_new",
              "layer_norm_epsilon": 1e-5}
    return {c["prefix"] + name: value for name, value in t.items()}, config


def bert_tensors(c, n_vocab, rng):
    d, f = c["width"], c["ffn"]
    t = {f"embeddings.{name}_embeddings.weight": rng.normal(0, scale, (n, d))
         for name, n, scale in (("word", n_vocab, 1), ("position", 64, 0.5), ("token_type", 2, 0.5))}
    norm = lambda p: {p + ".weight": 1 + rng.uniform(-0.3, 0.3, d), p + ".bias": rng.normal(0, 0.2, d)}
    linear = lambda p, out, inp: {p + ".weight": rng.normal(0, 1.2 / np.sqrt(inp), (out, inp)), p + ".bias": rng.normal(0, 0.3, out)}
    t.update(norm("embeddings.LayerNorm"))
    for i in range(c["layers"]):
        p = f"encoder.layer.{i}."
        for name in ("query", "key", "value"):
            t.update(linear(f"{p}attention.self.{name}", d, d))
        t.update(linear(p + "attention.output.dense", d, d) | norm(p + "attention.output.LayerNorm"))
        t.update(linear(p + "intermediate.dense", f, d) | linear(p + "output.dense", d, f) | norm(p + "output.LayerNorm"))
    if c["pooler"]:
        t.update(linear("pooler.dense", d, d))
    config = {"architectures": ["BertModel"], "model_type": "bert", "hidden_size": d, "num_hidden_layers": c["layers"],
              "num_attention_heads": c["heads"], "intermediate_size": f, "hidden_act": "gelu", "max_position_embeddings": 64,
              "type_vocab_size": 2, "vocab_size": n_vocab, "layer_norm_eps": 1e-12, "position_embedding_type": "absolute",
              "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "_name_or_path": "secret/base-model"}
    return {c["prefix"] + name: value for name, value in t.items()}, config


def prefer_whole_characters(tensors, t):
    """Tokens that are a part of a character get smaller logits, so that answers are mostly text."""
    broken = [i for i in range(t.get_vocab_size()) if "\ufffd" in t.decode([i], skip_special_tokens=False)]
    tensors["lm_head.weight"][broken] *= 0.5


def make(name, folder):
    c = (MODELS | FOLDERS | ENCODERS | MANY)[name]
    folder.mkdir(parents=True)
    rng = np.random.default_rng(sum(map(ord, name)))
    t = tokenizer(c["regex"], c["chat"])
    n_vocab = t.get_vocab_size() + c["padding"]
    tensors, config = {"llama": llama_tensors, "gpt2": gpt2_tensors, "bert": bert_tensors, "modernbert": modernbert.tensors}[c["kind"]](c, n_vocab, rng)
    if c["chat"]:
        prefer_whole_characters(tensors, t)
    ids = {token: t.token_to_id(token) for token in SPECIAL}
    config.update(bos_token_id=ids["<|bos|>"], eos_token_id=[ids["<|eos|>"], ids["<|end|>"]], pad_token_id=ids["<|pad|>"])
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    generation = {"bos_token_id": ids["<|bos|>"], "eos_token_id": [ids["<|eos|>"], ids["<|end|>"]], "suppress_tokens": [ids["<|user|>"]],
                  "bad_words_ids": [[ids["<|pad|>"], 65]], "temperature": 0.7}
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=1))
    t.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|bos|>", "eos_token": "<|eos|>", "pad_token": "<|pad|>"}
    if c["chat"]:
        settings["chat_template"] = CHATML
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    names = list(tensors)
    if c["shards"] == 1:
        write_safetensors(folder / "model.safetensors", tensors, c["dtype"])
    else:
        index = {}
        for i in range(c["shards"]):
            part = names[i::c["shards"]]
            file = f"secret-name-{i + 1:05}-of-{c['shards']:05}.safetensors"
            write_safetensors(folder / file, {n: tensors[n] for n in part}, c["dtype"])
            index.update({n: file for n in part})
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    np.savez(folder / "reference.npz", **tensors)
    return folder
