"""Forward passes of Llama and its kin, Cohere 2, Gemma 3 and GPT-2 in fp64, written from the papers and sharing nothing with Isoveil.
Texts are shorter than any window."""

import json
import math
import pathlib

import numpy as np

import models
import modernbert


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attend(q, k, v):
    """q {heads, n, dim}, k and v {kv heads, n, dim}; each group of query heads shares a key/value head."""
    group = q.shape[0] // k.shape[0]
    k, v = np.repeat(k, group, 0), np.repeat(v, group, 0)
    scores = q @ k.swapaxes(1, 2) / math.sqrt(q.shape[-1])
    n = q.shape[1]
    scores[:, np.triu(np.ones((n, n), bool), 1)] = -np.inf
    return (softmax(scores) @ v).swapaxes(0, 1).reshape(n, -1)


def split_heads(x, heads):
    return x.reshape(x.shape[0], heads, -1).swapaxes(0, 1)


def rope(x, theta, scaling):
    """Rotate-half layout: coordinates i and i + dim/2 turn together."""
    n, dim = x.shape[1], x.shape[2]
    frequency = theta ** (-np.arange(0, dim, 2) / dim)
    if scaling:
        wavelength = 2 * math.pi / frequency
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        context = scaling["original_max_position_embeddings"]
        smooth = np.clip((context / wavelength - low) / (high - low), 0, 1)
        frequency = (1 - smooth) * frequency / scaling["factor"] + smooth * frequency
    angle = np.arange(n)[:, None] * frequency
    a, b = x[..., :dim // 2], x[..., dim // 2:]
    return np.concatenate([a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)], -1)


def gated(w, p, x):
    linear = lambda x, name: x @ w[f"{p}{name}.weight"].T + w.get(f"{p}{name}.bias", 0)
    gate = linear(x, "gate_proj")
    return linear(gate / (1 + np.exp(-gate)) * linear(x, "up_proj"), "down_proj")


def experts(w, c, p, x):
    """Those of the largest scores, by their share of the scores of the chosen."""
    scores = softmax(x @ w[p + "gate.weight"].T)
    chosen = np.argsort(-scores, -1)[:, :c["num_experts_per_tok"]]
    out = np.zeros_like(x)
    for row, (of_row, y) in enumerate(zip(chosen, x)):
        for e in of_row:
            out[row] += scores[row, e] / scores[row, of_row].sum() * gated(w, f"{p}experts.{e}.", y)
    return out


def has_rope(c, layer):
    if c["model_type"] in ("exaone4", "cohere2"):
        return c["layer_types"][layer] == "sliding_attention"
    return bool(c.get("no_rope_layers", [1] * c["num_hidden_layers"])[layer])


def interleaved(x):
    """The order in which neighbours that turn together lie as `rope` has them."""
    return np.concatenate([x[..., 0::2], x[..., 1::2]], -1)


def head(w, c):
    return w["model.embed_tokens.weight"] if c["tie_word_embeddings"] else w["lm_head.weight"]


def cohere2(w, c, ids):
    linear = lambda x, name: x @ w[name + ".weight"].T

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + c["layer_norm_eps"]) * w[name + ".weight"]

    x = w["model.embed_tokens.weight"][ids]
    for i in range(c["num_hidden_layers"]):
        p = f"model.layers.{i}."
        y = norm(x, p + "input_layernorm")
        heads = {"q": c["num_attention_heads"], "k": c["num_key_value_heads"], "v": c["num_key_value_heads"]}
        q, k, v = (split_heads(linear(y, f"{p}self_attn.{name}_proj"), n) for name, n in heads.items())
        if has_rope(c, i):
            q, k = (rope(interleaved(z), c["rope_theta"], None) for z in (q, k))
        x = x + linear(attend(q, k, v), p + "self_attn.o_proj") + gated(w, p + "mlp.", y)
    return norm(x, "model.norm") @ head(w, c).T * c["logit_scale"]


def gemma3(w, c, ids):
    linear = lambda x, name: x @ w[name + ".weight"].T
    norm = lambda x, name: x / np.sqrt((x * x).mean(-1, keepdims=True) + c["rms_norm_eps"]) * (1 + w[name + ".weight"])
    gelu = lambda y: 0.5 * y * (1 + np.tanh(math.sqrt(2 / math.pi) * (y + 0.044715 * y ** 3)))
    x = w["model.embed_tokens.weight"][ids] * np.sqrt(c["hidden_size"])
    for i in range(c["num_hidden_layers"]):
        p = f"model.layers.{i}."
        y = norm(x, p + "input_layernorm")
        theta = c["rope_local_base_freq"] if c["layer_types"][i] == "sliding_attention" else c["rope_theta"]
        q = norm(split_heads(linear(y, p + "self_attn.q_proj"), c["num_attention_heads"]), p + "self_attn.q_norm")
        k = norm(split_heads(linear(y, p + "self_attn.k_proj"), c["num_key_value_heads"]), p + "self_attn.k_norm")
        v = split_heads(linear(y, p + "self_attn.v_proj"), c["num_key_value_heads"])
        q = q * math.sqrt(q.shape[-1] / c["query_pre_attn_scalar"])
        x = x + norm(linear(attend(rope(q, theta, None), rope(k, theta, None), v), p + "self_attn.o_proj"), p + "post_attention_layernorm")
        y = norm(x, p + "pre_feedforward_layernorm")
        ffn = linear(gelu(linear(y, p + "mlp.gate_proj")) * linear(y, p + "mlp.up_proj"), p + "mlp.down_proj")
        x = x + norm(ffn, p + "post_feedforward_layernorm")
    return norm(x, "model.norm") @ head(w, c).T


def llama(w, c, ids):
    linear = lambda x, name: x @ w[name + ".weight"].T + w.get(name + ".bias", 0)
    norm = lambda x, name: x / np.sqrt((x * x).mean(-1, keepdims=True) + c["rms_norm_eps"]) * w[name + ".weight"]
    x = w["model.embed_tokens.weight"][ids]
    for i in range(c["num_hidden_layers"]):
        p = f"model.layers.{i}."
        post = p + "post_feedforward_layernorm.weight" in w  # norms behind the layers instead of in front of them
        y = x if post else norm(x, p + "input_layernorm")
        turn = (lambda z: rope(z, c["rope_theta"], c.get("rope_scaling"))) if has_rope(c, i) else (lambda z: z)
        def project(name, heads):
            z, gain = linear(y, f"{p}self_attn.{name}_proj"), w.get(f"{p}self_attn.{name}_norm.weight", np.ones(1))
            if len(gain) == z.shape[-1]:
                z = norm(z, f"{p}self_attn.{name}_norm")
            z = split_heads(z, heads)
            return turn(norm(z, f"{p}self_attn.{name}_norm") if len(gain) == z.shape[-1] else z)

        q, k = project("q", c["num_attention_heads"]), project("k", c["num_key_value_heads"])
        v = split_heads(linear(y, p + "self_attn.v_proj"), c["num_key_value_heads"])
        attention = linear(attend(q, k, v), p + "self_attn.o_proj")
        x = x + (norm(attention, p + "post_attention_layernorm") if post else attention)
        y = x if post else norm(x, p + "post_attention_layernorm")
        ffn = experts(w, c, p + "mlp.", y) if p + "mlp.gate.weight" in w else gated(w, p + "mlp.", y)
        x = x + (norm(ffn, p + "post_feedforward_layernorm") if post else ffn)
    x = norm(x, "model.norm")
    return x @ head(w, c).T


def gpt2(w, c, ids):
    w = {name.removeprefix("transformer."): value for name, value in w.items()}
    linear = lambda x, name: x @ w[name + ".weight"] + w[name + ".bias"]

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + c["layer_norm_epsilon"]) * w[name + ".weight"] + w[name + ".bias"]

    x = w["wte.weight"][ids] + w["wpe.weight"][:len(ids)]
    for i in range(c["n_layer"]):
        p = f"h.{i}."
        q, k, v = np.split(linear(norm(x, p + "ln_1"), p + "attn.c_attn"), 3, -1)
        heads = [split_heads(part, c["n_head"]) for part in (q, k, v)]
        x = x + linear(attend(*heads), p + "attn.c_proj")
        y = linear(norm(x, p + "ln_2"), p + "mlp.c_fc")
        y = 0.5 * y * (1 + np.tanh(math.sqrt(2 / math.pi) * (y + 0.044715 * y ** 3)))
        x = x + linear(y, p + "mlp.c_proj")
    return norm(x, "ln_f") @ w.get("lm_head.weight", w["wte.weight"]).T


def logits(folder, ids, weights=None):
    """Logits of all positions; `weights` replaces the folder's own."""
    folder = pathlib.Path(folder)
    config = json.loads((folder / "config.json").read_text())
    if weights is None:
        weights = {name: values for name, (values, _, _) in models.read_folder(folder).items()}
    forward = {"gpt2": gpt2, "cohere2": cohere2, "gemma3_text": gemma3, "modernbert": modernbert.forward}.get(config["model_type"], llama)
    return forward(weights, config, list(ids))
