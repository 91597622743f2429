"""Llama: the transformer most language models are today.

Touvron et al., "Llama 2" (arXiv 2307.09288), and the Llama 3 herd (arXiv 2407.21783). As GPT-2, with rotary positions
(RoPE, arXiv 2104.09864), RMS norms before each part, a gated feed-forward layer (SwiGLU), no biases, an output head of
its own, and fewer heads for keys and values than for queries (grouped-query attention, arXiv 2305.13245). Parameter
names and shapes are those of Meta's code, so that its checkpoints load; RoPE turns adjacent pairs of channels (2j, 2j+1)
as there, not the two halves of a head as in converted Hugging Face checkpoints. The papers leave the initialisation
open: N(0, 0.02), with projections into the residual stream smaller by the root of their number, as in GPT-2.

Memory of the past: keys and values of every earlier token, 2 * n_layers * n_kv_heads * head size numbers per token.
"""

import math
from dataclasses import dataclass
from typing import Optional

import torch
import torch.nn as nn
from torch.nn import functional as F


@dataclass
class LlamaConfig:
    dim: int = 4096
    n_layers: int = 32
    n_heads: int = 32
    n_kv_heads: Optional[int] = None  # of keys and values; as many as of queries when None
    vocab_size: int = 32000
    multiple_of: int = 256  # the hidden size of the feed-forward layer is rounded up to a multiple of this
    ffn_dim_multiplier: Optional[float] = None  # Llama 3: 1.3
    norm_eps: float = 1e-5
    rope_theta: float = 10000.0  # Llama 3: 500000


class RMSNorm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        full = x.float()
        return (full * torch.rsqrt(full.pow(2).mean(-1, keepdim=True) + self.eps)).type_as(x) * self.weight


def rotation(time, size, theta, device):
    """Cosines and sines [time, 1, size / 2] by which position turns each pair of channels."""
    frequencies = theta ** (-torch.arange(0, size, 2, dtype=torch.float32, device=device) / size)
    angles = torch.outer(torch.arange(time, dtype=torch.float32, device=device), frequencies).unsqueeze(1)
    return torch.cos(angles), torch.sin(angles)


def rotate(x, cos, sin):
    """Turns the pairs (x[2j], x[2j+1]) of [batch, time, heads, size]."""
    even, odd = x.float().view(*x.shape[:-1], -1, 2).unbind(-1)
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2).type_as(x)


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        assert config.dim % config.n_heads == 0
        self.size = config.dim // config.n_heads
        kv_heads = config.n_heads if config.n_kv_heads is None else config.n_kv_heads
        assert config.n_heads % kv_heads == 0, f"{config.n_heads} heads cannot share {kv_heads} of keys and values"
        self.wq = nn.Linear(config.dim, config.n_heads * self.size, bias=False)
        self.wk = nn.Linear(config.dim, kv_heads * self.size, bias=False)
        self.wv = nn.Linear(config.dim, kv_heads * self.size, bias=False)
        self.wo = nn.Linear(config.n_heads * self.size, config.dim, bias=False)

    def forward(self, x, cos, sin, mask):
        B, T, C = x.shape
        q, k, v = (part.view(B, T, -1, self.size) for part in (self.wq(x), self.wk(x), self.wv(x)))
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        q, k, v = (part.transpose(1, 2) for part in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None, enable_gqa=True)
        return self.wo(y.transpose(1, 2).reshape(B, T, C))


class FeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden = int(2 * 4 * config.dim / 3)
        if config.ffn_dim_multiplier is not None:
            hidden = int(config.ffn_dim_multiplier * hidden)
        hidden = math.ceil(hidden / config.multiple_of) * config.multiple_of
        self.w1 = nn.Linear(config.dim, hidden, bias=False)
        self.w2 = nn.Linear(hidden, config.dim, bias=False)
        self.w3 = nn.Linear(config.dim, hidden, bias=False)

    def forward(self, x):
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.attention = Attention(config)
        self.feed_forward = FeedForward(config)
        self.attention_norm = RMSNorm(config.dim, config.norm_eps)
        self.ffn_norm = RMSNorm(config.dim, config.norm_eps)

    def forward(self, x, cos, sin, mask):
        x = x + self.attention(self.attention_norm(x), cos, sin, mask)
        return x + self.feed_forward(self.ffn_norm(x))


class Llama(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.tok_embeddings = nn.Embedding(config.vocab_size, config.dim)
        self.layers = nn.ModuleList([Block(config) for _ in range(config.n_layers)])
        self.norm = RMSNorm(config.dim, config.norm_eps)
        self.output = nn.Linear(config.dim, config.vocab_size, bias=False)
        residual = 0.02 / math.sqrt(2 * config.n_layers)
        for name, parameter in self.named_parameters():
            if parameter.dim() >= 2:
                into = name.endswith(("attention.wo.weight", "feed_forward.w2.weight"))
                nn.init.normal_(parameter, mean=0.0, std=residual if into else 0.02)

    def visible(self, time, device):
        """Which keys each query sees, [time, time]; None for all earlier ones and itself."""
        return None

    def forward(self, idx, targets=None):
        B, T = idx.shape
        config = self.config
        cos, sin = rotation(T, config.dim // config.n_heads, config.rope_theta, idx.device)
        mask = self.visible(T, idx.device)
        x = self.tok_embeddings(idx)
        for layer in self.layers:
            x = layer(x, cos, sin, mask)
        logits = self.output(self.norm(x))
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))

    def configure_optimizers(self, weight_decay=0.1, learning_rate=3e-4, betas=None, device_type="cpu"):
        """AdamW with betas (0.9, 0.95) and epsilon 1e-5 (Llama 2, section 2.2); no weight decay on norms."""
        groups = [
            {"params": [p for p in self.parameters() if p.dim() >= 2], "weight_decay": weight_decay},
            {"params": [p for p in self.parameters() if p.dim() < 2], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.95), eps=1e-5)
