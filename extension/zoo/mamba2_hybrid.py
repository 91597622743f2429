"""Mamba-2-Hybrid: Mamba-2 with a few attention layers, which look things up, and feed-forward layers in between.

Waleffe et al., "An Empirical Study of Mamba-based Language Models" (arXiv 2406.07887). Of all layers, 8% are attention
with grouped queries and no positions, half are feed-forward layers, the others Mamba-2, spread evenly. Every layer is
one of them, with a norm before it and the residual stream around it. Initialisation is that of Megatron-LM.

Memory of the past: per Mamba-2 layer as in mamba2.py; per attention layer 2 * n_kv_head * d_model / n_head numbers for
every earlier token, so that it grows with the context, a dozen times slower than a transformer's.
"""

import math
from dataclasses import dataclass
from typing import Optional

import torch
import torch.nn as nn
from torch.nn import functional as F

from mamba2 import Mamba2Config, Mixer, RMSNorm


@dataclass
class Mamba2HybridConfig(Mamba2Config):
    vocab_size: int = 256000
    n_layer: int = 56
    d_model: int = 4096
    ngroups: int = 8
    n_head: int = 32  # of attention
    n_kv_head: int = 8
    pattern: Optional[str] = None  # a letter for each layer: M Mamba-2, * attention, - feed-forward


def arrangement(layers, attention=0.08, feedforward=0.5):
    """Letters of so many layers in those proportions; the study's own for 56 and 48."""
    kinds = ["M"] * layers
    attention = max(1, int(attention * layers + 0.5))
    for kind, count, stretches in (
        ("*", attention, attention + 1),
        ("-", int(feedforward * layers), int(feedforward * layers)),
    ):
        places = [i for i in range(layers) if kinds[i] == "M"]
        stretch = (len(places) - count) / max(1, stretches)  # layers of Mamba-2 before each of this kind
        left = stretch
        for i in places:
            if left < 0.5:
                kinds[i] = kind
                left += stretch
            else:
                left -= 1
    return "".join(kinds)


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        C, heads, shared = config.d_model, config.n_head, config.n_kv_head
        assert C % heads == 0 and heads % shared == 0, f"{C} channels, {heads} heads and {shared} of keys do not fit"
        self.size = C // heads
        self.q_proj = nn.Linear(C, C, bias=False)
        self.k_proj = nn.Linear(C, shared * self.size, bias=False)
        self.v_proj = nn.Linear(C, shared * self.size, bias=False)
        self.out_proj = nn.Linear(C, C, bias=False)

    def forward(self, x):
        B, T, C = x.shape
        projections = (self.q_proj(x), self.k_proj(x), self.v_proj(x))
        q, k, v = (part.view(B, T, -1, self.size).transpose(1, 2) for part in projections)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return self.out_proj(y.transpose(1, 2).reshape(B, T, C))


class FeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.fc1 = nn.Linear(config.d_model, 4 * config.d_model, bias=False)
        self.fc2 = nn.Linear(4 * config.d_model, config.d_model, bias=False)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Layer(nn.Module):
    def __init__(self, config, kind):
        super().__init__()
        self.norm = RMSNorm(config.d_model)
        self.mixer = {"M": Mixer, "*": Attention, "-": FeedForward}[kind](config)

    def forward(self, x):
        return x + self.mixer(self.norm(x))


class Mamba2Hybrid(nn.Module):
    def __init__(self, config):
        super().__init__()
        pattern = config.pattern or arrangement(config.n_layer)
        assert len(pattern) == config.n_layer, f"the pattern has {len(pattern)} layers, n_layer is {config.n_layer}"
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.layers = nn.ModuleList([Layer(config, kind) for kind in pattern])
        self.norm_f = RMSNorm(config.d_model)
        self.lm_head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        nn.init.normal_(self.embedding.weight, std=0.02)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                # Projections back into the residual stream start smaller, by the number of them.
                into = name.endswith(("out_proj", "fc2"))
                nn.init.normal_(module.weight, std=0.02 / math.sqrt(config.n_layer) if into else 0.02)

    def forward(self, idx, targets=None):
        x = self.embedding(idx)
        for layer in self.layers:
            x = layer(x)
        logits = self.lm_head(self.norm_f(x))
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))

    def configure_optimizers(self, weight_decay=0.1, learning_rate=3e-4, betas=(0.9, 0.95), device_type="cpu"):
        """AdamW; no weight decay on A_log, dt_bias, D, biases and norms, which all have one dimension."""
        groups = [
            {"params": [p for p in self.parameters() if p.dim() >= 2], "weight_decay": weight_decay},
            {"params": [p for p in self.parameters() if p.dim() < 2], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=learning_rate, betas=betas)
