"""Families of networks that stock transformers makes: small random models of their real classes, odd shapes included."""

import json

import numpy as np

import models

# Of the classes' own configurations; the rest is what their authors' models have.
WIDE = dict(hidden_size=48, intermediate_size=100, num_hidden_layers=2, num_attention_heads=6, max_position_embeddings=128)
GROUPED = dict(WIDE, num_key_value_heads=2)
DECODERS = {
    "phi3": ("phi3", dict(GROUPED, pad_token_id=None)),
    "phi3-longrope": ("phi3", dict(GROUPED, pad_token_id=None, original_max_position_embeddings=32, rope_scaling={
        "type": "longrope", "short_factor": [1.0, 1.1, 1.3, 1.6], "long_factor": [1.0, 2.0, 4.0, 8.0]})),
    "granite": ("granite", dict(GROUPED, embedding_multiplier=12.0, attention_multiplier=0.25, residual_multiplier=0.22,
                                logits_scaling=0.5, attention_bias=True, tie_word_embeddings=True)),
    "starcoder2": ("starcoder2", dict(GROUPED, sliding_window=8)),
    "stablelm": ("stablelm", dict(GROUPED, use_qkv_bias=True, partial_rotary_factor=0.25)),
    "stablelm-parallel": ("stablelm", dict(WIDE, num_key_value_heads=6, use_parallel_residual=True, partial_rotary_factor=0.5)),
    "gpt-neox": ("gpt_neox", dict(WIDE, rotary_pct=0.25)),
    "gpt-neox-serial": ("gpt_neox", dict(WIDE, rotary_pct=0.5, use_parallel_residual=False)),
    "falcon-7b": ("falcon", dict(hidden_size=48, num_hidden_layers=2, num_attention_heads=6)),
    "falcon-40b": ("falcon", dict(hidden_size=48, num_hidden_layers=2, num_attention_heads=6, num_kv_heads=2,
                                  new_decoder_architecture=True)),
    "falcon-rw": ("falcon", dict(hidden_size=48, num_hidden_layers=2, num_attention_heads=6, alibi=True, bias=True,
                                 multi_query=False, parallel_attn=False)),
    "bloom": ("bloom", dict(hidden_size=48, n_layer=2, n_head=6)),
    "mpt": ("mpt", dict(d_model=48, n_layers=2, n_heads=6, max_seq_len=128)),
    "mpt-clipped": ("mpt", dict(d_model=48, n_layers=2, n_heads=6, max_seq_len=128,
                                attn_config={"clip_qkv": 1.5})),
    "opt": ("opt", dict(hidden_size=48, ffn_dim=100, num_hidden_layers=2, num_attention_heads=6, word_embed_proj_dim=48,
                        max_position_embeddings=128)),
    "cohere": ("cohere", dict(GROUPED)),
    "gemma": ("gemma", dict(GROUPED, head_dim=16)),
    "gemma2": ("gemma2", dict(GROUPED, head_dim=16, sliding_window=8, query_pre_attn_scalar=24)),
    "olmo": ("olmo", dict(GROUPED)),
    "olmo-clipped": ("olmo", dict(WIDE, clip_qkv=1.5)),
    "phi": ("phi", dict(GROUPED, partial_rotary_factor=0.5)),
    "gpt-j": ("gptj", dict(n_embd=48, n_layer=2, n_head=3, rotary_dim=8, n_positions=128)),
    "glm": ("glm", dict(GROUPED, head_dim=8)),
}


def randomise(model, rng):
    """Weights whose spread makes every operation matter; a freshly made model's norms and biases do nothing."""
    import torch
    for name, p in model.named_parameters():
        shape = tuple(p.shape)
        stored_less_1 = "RMSNorm" in str(type(model)) or model.config.model_type in ("gemma", "gemma2", "nemotron")
        if p.ndim >= 2:
            embedding = any(part in name for part in ("embed", "wte", "wpe"))
            value = rng.normal(0, 0.5 if embedding else 1.2 / np.sqrt(shape[-1]), shape)
        elif name.endswith("bias"):
            value = rng.normal(0, 0.3, shape)
        else:
            value = (0 if stored_less_1 else 1) + rng.uniform(-0.3, 0.3, shape)
        p.data = torch.tensor(value, dtype=torch.float32)


def make(name, folder):
    import torch
    import transformers
    model_type, sizes = DECODERS[name]
    t = models.tokenizer(None)
    ids = {token: t.token_to_id(token) for token in models.SPECIAL}
    special = dict(bos_token_id=ids["<|bos|>"], eos_token_id=ids["<|eos|>"], pad_token_id=ids["<|pad|>"])
    n_vocab = t.get_vocab_size() + 5
    config = transformers.AutoConfig.for_model(model_type, **dict(special, vocab_size=n_vocab, **sizes | special))
    torch.manual_seed(1)
    model = transformers.AutoModelForCausalLM.from_config(config).float().eval()
    randomise(model, np.random.default_rng(sum(map(ord, name))))
    model.tie_weights()
    config.architectures = [type(model).__name__]
    config.save_pretrained(folder)
    # Not model.save_pretrained, which needs torch.distributed: Debian's cannot be imported.
    tied = {name for name in model._tied_weights_keys or [] if config.tie_word_embeddings}
    models.write_safetensors(folder / "model.safetensors", {name: value.numpy() for name, value in model.state_dict().items()
                                                            if name not in tied}, "F32")
    t.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|bos|>", "eos_token": "<|eos|>", "pad_token": "<|pad|>"}))
    return folder
