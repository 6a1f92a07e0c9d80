"""A small Llama in plain PyTorch, with the tensor names of Hugging Face transformers.

It exists next to transformers' own because training on one CPU core pays for every operation: the head is computed only
at the positions whose loss counts, and q, k, v as well as the two halves of the gate are each one product.
test_model.py holds its logits against transformers' LlamaForCausalLM.
"""
from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import nn
from torch.nn import functional as F


@dataclass(frozen=True)
class ModelSettings:
    vocab: int = 4096
    width: int = 256
    layers: int = 5
    heads: int = 8
    kv_heads: int = 4
    ffn: int = 512
    context: int = 512
    rope_theta: float = 10000.0
    norm_eps: float = 1e-5

    @property
    def head_dim(self) -> int:
        return self.width // self.heads

    def to_dict(self) -> dict:
        return asdict(self)


class RmsNorm(nn.Module):
    def __init__(self, width: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weight


def rope_tables(settings: ModelSettings) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines of every position, the frequencies twice in a row as rotate-half wants them."""
    half = settings.head_dim // 2
    frequencies = settings.rope_theta ** (-torch.arange(half, dtype=torch.float32) / half)
    angles = torch.outer(torch.arange(settings.context, dtype=torch.float32), frequencies)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    a, b = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-b, a], dim=-1) * sin


class Attention(nn.Module):
    def __init__(self, s: ModelSettings):
        super().__init__()
        self.s = s
        self.q_proj = nn.Linear(s.width, s.heads * s.head_dim, bias=False)
        self.k_proj = nn.Linear(s.width, s.kv_heads * s.head_dim, bias=False)
        self.v_proj = nn.Linear(s.width, s.kv_heads * s.head_dim, bias=False)
        self.o_proj = nn.Linear(s.heads * s.head_dim, s.width, bias=False)

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        s, (batch, length, _) = self.s, x.shape
        qkv = F.linear(x, torch.cat([self.q_proj.weight, self.k_proj.weight, self.v_proj.weight]))
        qkv = qkv.view(batch, length, s.heads + 2 * s.kv_heads, s.head_dim).transpose(1, 2)
        turned = rotate(qkv[:, :s.heads + s.kv_heads], cos, sin)
        group = s.heads // s.kv_heads
        # The query heads of a group lie one after the other, so that no key or value is repeated.
        q = (turned[:, :s.heads] * s.head_dim ** -0.5).reshape(batch, s.kv_heads, group * length, s.head_dim)
        k, v = turned[:, s.heads:], qkv[:, s.heads + s.kv_heads:]
        scores = torch.matmul(q, k.transpose(-1, -2)).view(batch, s.kv_heads, group, length, length) + mask
        weights = scores.softmax(-1).view(batch, s.kv_heads, group * length, length)
        mixed = torch.matmul(weights, v).view(batch, s.heads, length, s.head_dim)
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, length, s.heads * s.head_dim))


class Mlp(nn.Module):
    def __init__(self, s: ModelSettings):
        super().__init__()
        self.gate_proj = nn.Linear(s.width, s.ffn, bias=False)
        self.up_proj = nn.Linear(s.width, s.ffn, bias=False)
        self.down_proj = nn.Linear(s.ffn, s.width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate, up = F.linear(x, torch.cat([self.gate_proj.weight, self.up_proj.weight])).chunk(2, dim=-1)
        return self.down_proj(F.silu(gate) * up)


class Layer(nn.Module):
    def __init__(self, s: ModelSettings):
        super().__init__()
        self.input_layernorm = RmsNorm(s.width, s.norm_eps)
        self.self_attn = Attention(s)
        self.post_attention_layernorm = RmsNorm(s.width, s.norm_eps)
        self.mlp = Mlp(s)

    def forward(self, x: torch.Tensor, *tables: torch.Tensor) -> torch.Tensor:
        x = x + self.self_attn(self.input_layernorm(x), *tables)
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    def __init__(self, s: ModelSettings):
        super().__init__()
        self.embed_tokens = nn.Embedding(s.vocab, s.width)
        self.layers = nn.ModuleList(Layer(s) for _ in range(s.layers))
        self.norm = RmsNorm(s.width, s.norm_eps)


class Llama(nn.Module):
    """The head is the embedding, so that a vocabulary of 4096 does not cost the small model twice."""

    def __init__(self, settings: ModelSettings):
        super().__init__()
        self.settings = settings
        self.model = Body(settings)
        cos, sin = rope_tables(settings)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self.register_buffer("mask", torch.full((settings.context, settings.context), -1e9).triu(1), persistent=False)
        self.initialise()

    def initialise(self) -> None:
        out_scale = (2 * self.settings.layers) ** -0.5
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                scale = 0.02 if "embed" in name else weight.shape[1] ** -0.5
                if name.endswith(("o_proj.weight", "down_proj.weight")):
                    scale *= out_scale
                nn.init.normal_(weight, std=scale)

    def hidden(self, ids: torch.Tensor) -> torch.Tensor:
        length = ids.shape[1]
        tables = self.cos[:length], self.sin[:length], self.mask[:length, :length]
        x = self.model.embed_tokens(ids)
        for layer in self.model.layers:
            x = layer(x, *tables)
        return self.model.norm(x)

    def logits(self, ids: torch.Tensor) -> torch.Tensor:
        return F.linear(self.hidden(ids), self.model.embed_tokens.weight)

    def loss(self, ids: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy of the tokens with `counts` set, each predicted from those before it."""
        wanted = counts[:, 1:]
        hidden = self.hidden(ids[:, :-1])[wanted]
        return F.cross_entropy(F.linear(hidden, self.model.embed_tokens.weight).float(), ids[:, 1:][wanted])

    @torch.no_grad()
    def greedy(self, ids: list[int], stop: set[int], most: int = 96) -> list[int]:
        """The likeliest continuation. Without a cache: at these lengths one full pass per token is fast enough."""
        said: list[int] = []
        while len(said) < most and len(ids) + len(said) < self.settings.context:
            last = self.hidden(torch.tensor([ids + said]))[0, -1]
            token = int(F.linear(last, self.model.embed_tokens.weight).argmax())
            if token in stop:
                break
            said.append(token)
        return said
