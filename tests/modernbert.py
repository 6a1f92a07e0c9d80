"""ModernBERT: weights of small models, and its forward pass in fp64 as the paper and the real files have it. transformers has the class since
4.48; tests/test_newer_encoders.py compares the two."""

import math

import numpy as np

ERF = np.vectorize(math.erf)


def modernbert(width=48, layers=5, heads=6, ffn=52, biases=False, tied=True, dtype="F32", shards=1, padding=5, extra={}):
    """`biases`: of every map and norm, or of the decoder alone. `extra`: further members of the configuration."""
    return dict(locals(), kind="modernbert", chat=False, regex=None)


def tensors(c, n_vocab, rng, head="ForMaskedLM"):
    d, f = c["width"], c["ffn"]
    prefix = "" if head == "Model" else "model."

    def linear(name, out, into, bias=c["biases"]):
        return {name + ".weight": rng.normal(0, 1.2 / np.sqrt(into), (out, into))} | ({name + ".bias": rng.normal(0, 0.3, out)} if bias else {})

    def norm(name):
        return {name + ".weight": 1 + rng.uniform(-0.3, 0.3, d)} | ({name + ".bias": rng.normal(0, 0.2, d)} if c["biases"] else {})

    t = {prefix + "embeddings.tok_embeddings.weight": rng.normal(0, 0.5, (n_vocab, d))} | norm(prefix + "embeddings.norm")
    for i in range(c["layers"]):
        p = f"{prefix}layers.{i}."
        t |= norm(p + "attn_norm") if i > 0 else {}
        t |= linear(p + "attn.Wqkv", 3 * d, d) | linear(p + "attn.Wo", d, d) | norm(p + "mlp_norm")
        t |= linear(p + "mlp.Wi", 2 * f, d) | linear(p + "mlp.Wo", d, f)
    t |= norm(prefix + "final_norm")
    if head != "Model":
        t |= linear("head.dense", d, d) | norm("head.norm")
    if head == "ForMaskedLM":
        t["decoder.bias"] = rng.normal(0, 0.3, n_vocab)
        t |= {} if c["tied"] else {"decoder.weight": rng.normal(0, 0.5, (n_vocab, d))}
    elif head != "Model":
        t |= linear("classifier", 3, d, True)
    # layer_norm_eps is in the real file, and nothing reads it.
    config = {"architectures": ["ModernBert" + head], "model_type": "modernbert", "hidden_size": d, "intermediate_size": f, "num_hidden_layers": c["layers"],
              "num_attention_heads": c["heads"], "vocab_size": n_vocab, "max_position_embeddings": 128, "norm_eps": 1e-3, "layer_norm_eps": 1e-5,
              "hidden_activation": "gelu", "classifier_activation": "gelu", "classifier_pooling": "mean", "local_attention": 6,
              "global_attn_every_n_layers": 3, "global_rope_theta": 160000.0, "local_rope_theta": 1000.0, "tie_word_embeddings": c["tied"],
              "position_embedding_type": "absolute", "_name_or_path": "secret/base-model", **c["extra"]}
    config |= {name: c["biases"] for name in ("attention_bias", "mlp_bias", "norm_bias", "classifier_bias")} | {"decoder_bias": True}
    if head.endswith("Classification"):
        config |= {"id2label": {0: "calm", 1: "glad", 2: "sad"}, "label2id": {"calm": 0, "glad": 1, "sad": 2}}
    return t, config


def turn(x, theta):
    """Coordinates i and i + dim/2 of {heads, n, dim} turn together."""
    dim = x.shape[-1]
    angle = np.arange(x.shape[1])[:, None] * theta ** (-np.arange(0, dim, 2) / dim)
    a, b = x[..., :dim // 2], x[..., dim // 2:]
    return np.concatenate([a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)], -1)


def forward(w, c, ids):
    """What the class of the configuration gives: logits of tokens, labels, or vectors."""
    w = {name.removeprefix("model."): value for name, value in w.items()}
    linear = lambda x, name: x @ w[name + ".weight"].T + w.get(name + ".bias", 0)
    gelu = lambda x: x * (1 + ERF(x / math.sqrt(2))) / 2

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + c["norm_eps"]) * w[name + ".weight"] + w.get(name + ".bias", 0)

    n, heads = len(ids), c["num_attention_heads"]
    far = np.abs(np.subtract.outer(np.arange(n), np.arange(n))) > c["local_attention"] // 2
    x = norm(w["embeddings.tok_embeddings.weight"][ids], "embeddings.norm")
    for i in range(c["num_hidden_layers"]):
        p, everywhere = f"layers.{i}.", i % c["global_attn_every_n_layers"] == 0
        y = norm(x, p + "attn_norm") if i > 0 else x
        q, k, v = (part.reshape(n, heads, -1).swapaxes(0, 1) for part in np.split(linear(y, p + "attn.Wqkv"), 3, -1))
        q, k = (turn(z, c["global_rope_theta" if everywhere else "local_rope_theta"]) for z in (q, k))
        scores = q @ k.swapaxes(1, 2) / math.sqrt(q.shape[-1])
        scores = np.where(far & (not everywhere), -np.inf, scores)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        x = x + linear((scores / scores.sum(-1, keepdims=True) @ v).swapaxes(0, 1).reshape(n, -1), p + "attn.Wo")
        inner, gate = np.split(linear(norm(x, p + "mlp_norm"), p + "mlp.Wi"), 2, -1)
        x = x + linear(gelu(inner) * gate, p + "mlp.Wo")
    x = norm(x, "final_norm")
    head = c["architectures"][0].removeprefix("ModernBert")
    if head == "Model":
        return x
    if head == "ForSequenceClassification":
        x = x.mean(0, keepdims=True) if c["classifier_pooling"] == "mean" else x[:1]
    x = norm(gelu(linear(x, "head.dense")), "head.norm")
    if head != "ForMaskedLM":
        return linear(x, "classifier")
    return x @ w["embeddings.tok_embeddings.weight" if c["tie_word_embeddings"] else "decoder.weight"].T + w["decoder.bias"]
