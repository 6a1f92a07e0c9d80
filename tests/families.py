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
    "nemotron": ("nemotron", dict(GROUPED, partial_rotary_factor=0.5)),
    "glm": ("glm", dict(GROUPED, head_dim=8)),
}


MOE = dict(GROUPED, num_experts=5, num_experts_per_tok=2)
DECODERS |= {
    "mixtral": ("mixtral", dict(GROUPED, num_local_experts=5, num_experts_per_tok=2)),
    "qwen2-moe-everywhere": ("qwen2_moe", dict(MOE, moe_intermediate_size=36, shared_expert_intermediate_size=44)),
    "qwen2-moe": ("qwen2_moe", dict(MOE, moe_intermediate_size=36, shared_expert_intermediate_size=44, decoder_sparse_step=2,
                                    num_hidden_layers=4)),
    "olmoe": ("olmoe", dict(MOE, norm_topk_prob=True)),
    "olmoe-ungrouped": ("olmoe", dict(MOE, num_key_value_heads=6)),
    "olmoe-clipped": ("olmoe", dict(MOE, clip_qkv=1.5)),
}
BERT = dict(WIDE, max_position_embeddings=64)
DISTIL = dict(dim=48, hidden_dim=100, n_layers=2, n_heads=6, max_position_embeddings=64)
NAMES = {"id2label": {0: "calm", 1: "glad", 2: "sad"}, "label2id": {"calm": 0, "glad": 1, "sad": 2}}
# name: (class, configuration, output)
ENCODERS = {
    "bert-masked": ("BertForMaskedLM", BERT, "logits"),
    "bert-labels": ("BertForSequenceClassification", dict(BERT, **NAMES), "labels"),
    "bert-token-labels": ("BertForTokenClassification", dict(BERT, **NAMES), "labels"),
    "roberta": ("RobertaModel", BERT, "last_hidden_state"),
    "roberta-masked": ("RobertaForMaskedLM", BERT, "logits"),
    "roberta-labels": ("RobertaForSequenceClassification", dict(BERT, **NAMES), "labels"),
    "xlm-roberta-token-labels": ("XLMRobertaForTokenClassification", dict(BERT, **NAMES), "labels"),
    "xlm-roberta": ("XLMRobertaModel", BERT, "pooler_output"),
    "xlm-roberta-reranker": ("XLMRobertaForSequenceClassification", dict(BERT, id2label={0: "relevance"}), "labels"),
    "camembert": ("CamembertForMaskedLM", BERT, "logits"),
    "distilbert": ("DistilBertModel", DISTIL, "last_hidden_state"),
    "distilbert-masked": ("DistilBertForMaskedLM", DISTIL, "logits"),
    "distilbert-labels": ("DistilBertForSequenceClassification", dict(DISTIL, **NAMES), "labels"),
    "distilbert-token-labels": ("DistilBertForTokenClassification", dict(DISTIL, **NAMES), "labels"),
    "electra": ("ElectraModel", dict(BERT, embedding_size=48), "last_hidden_state"),
    "electra-labels": ("ElectraForSequenceClassification", dict(BERT, embedding_size=32, **NAMES), "labels"),
    "electra-wide-labels": ("ElectraForSequenceClassification", dict(BERT, embedding_size=48, **NAMES), "labels"),
    "electra-token-labels": ("ElectraForTokenClassification", dict(BERT, embedding_size=48, **NAMES), "labels"),
    "mpnet": ("MPNetModel", BERT, "last_hidden_state"),
    "mpnet-masked": ("MPNetForMaskedLM", BERT, "logits"),
    "mpnet-odd": ("MPNetModel", dict(BERT, hidden_size=36, num_attention_heads=4, intermediate_size=51,
                                     relative_attention_num_buckets=40), "pooler_output"),
    "mpnet-labels": ("MPNetForSequenceClassification", dict(BERT, **NAMES), "labels"),
    "mpnet-token-labels": ("MPNetForTokenClassification", dict(BERT, **NAMES), "labels"),
    "albert": ("AlbertModel", dict(BERT, embedding_size=32), "pooler_output"),
    "albert-masked": ("AlbertForMaskedLM", dict(BERT, embedding_size=32), "logits"),
    "albert-labels": ("AlbertForSequenceClassification", dict(BERT, embedding_size=32, **NAMES), "labels"),
    "albert-token-labels": ("AlbertForTokenClassification", dict(BERT, embedding_size=32, **NAMES), "labels"),
}


def randomise(model, rng):
    """Weights whose spread makes every operation matter; a freshly made model's norms and biases do nothing."""
    import torch
    for name, p in model.named_parameters():
        shape = tuple(p.shape)
        stored_less_1 = "RMSNorm" in str(type(model)) or model.config.model_type in ("gemma", "gemma2", "nemotron")
        if p.ndim >= 2 and ".gate." in name:
            value = rng.normal(0, 2 / np.sqrt(shape[-1]), shape)  # no two experts tie
        elif p.ndim >= 2:
            embedding = any(part in name for part in ("embed", "wte", "wpe"))
            value = rng.normal(0, 0.5 if embedding else 1.2 / np.sqrt(shape[-1]), shape)
        elif name.endswith("bias"):
            value = rng.normal(0, 0.3, shape)
        else:
            value = (0 if stored_less_1 else 1) + rng.uniform(-0.3, 0.3, shape)
        p.data = torch.tensor(value, dtype=torch.float32)


def know_biases_of_norms(torch):
    """Debian's torch knows no LayerNorm without a bias; the classes that name the argument have one."""
    init = torch.nn.LayerNorm.__init__
    if init.__code__.co_argcount > 6:
        return

    def with_bias(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True, device=None, dtype=None):
        assert bias
        init(self, normalized_shape, eps, elementwise_affine, device, dtype)

    torch.nn.LayerNorm.__init__ = with_bias


def make(name, folder):
    import torch
    know_biases_of_norms(torch)
    import transformers
    t = models.tokenizer(None)
    ids = {token: t.token_to_id(token) for token in models.SPECIAL}
    special = dict(bos_token_id=ids["<|bos|>"], eos_token_id=ids["<|eos|>"], pad_token_id=ids["<|pad|>"], vocab_size=t.get_vocab_size() + 5)
    torch.manual_seed(1)
    if name in DECODERS:
        model_type, sizes = DECODERS[name]
        model = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.for_model(model_type, **sizes | special))
    else:
        hf_class, sizes, _ = ENCODERS[name]
        hf_class = getattr(transformers, hf_class)
        if hf_class.config_class.model_type in ("roberta", "xlm-roberta", "camembert", "mpnet"):
            special["pad_token_id"] = 1  # positions count from it
        model = hf_class(hf_class.config_class(**sizes | special))
    model = model.float().eval()
    config = model.config
    randomise(model, np.random.default_rng(sum(map(ord, name))))
    model.tie_weights()
    config.architectures = [type(model).__name__]
    config.save_pretrained(folder)
    # Not model.save_pretrained, which needs torch.distributed: Debian's cannot be imported.
    # Its list of ties has endings of names, or of modules; a bias is tied in any case.
    tied = [ending for name in model._tied_weights_keys or [] if config.tie_word_embeddings
            for ending in (name, name + ".weight", name + ".bias")]
    models.write_safetensors(folder / "model.safetensors", {name: value.numpy() for name, value in model.state_dict().items()
                                                            if not any(name.endswith(t) for t in tied)}, "F32")
    t.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|bos|>", "eos_token": "<|eos|>", "pad_token": "<|pad|>"}))
    return folder
