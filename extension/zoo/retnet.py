"""RetNet: attention without softmax, whose memory of the past fades at a fixed rate per head (retention).

Sun et al., "Retentive Network: A Successor to Transformer for Large Language Models" (arXiv 2307.08621). Queries and
keys are rotated by position, head h keeps 1 - 2^(-5-h) of its state per token, and what a head reads is normalised
alone and gated; a gated feed-forward layer follows. Sizes, names and initialisation are those of torchscale's code,
which differs from the paper in RMSNorm, the gated feed-forward layer and widths of 27/16 in place of 2. Its scaling of
scores by the sum of decays, which the norm of each head takes out again, is left out.

Memory of the past: n_layer * 27/16 * n_embd^2 / n_head numbers (432 per layer and channel with the published heads of
256), however long the context.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn as nn
from torch.nn import functional as F

from ops import gla


@dataclass
class RetNetConfig:
    vocab_size: int = 50304
    n_layer: int = 24
    n_head: int = 8
    n_embd: int = 2048


class RMSNorm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight, eps=1e-6)


def rotate(x, cos, sin):
    """Turns neighbouring channels of x [B, T, H, N] by angles, whose cosine and sine are [T, 1, N / 2]."""
    a, b = x.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)


class Retention(nn.Module):
    def __init__(self, config):
        super().__init__()
        C, H = config.n_embd, config.n_head
        values = 27 * C // 16
        assert C % (2 * H) == 0 and values % H == 0, f"a width of {C} does not divide into {H} heads of even size"
        self.n_head = H
        self.q_proj = nn.Linear(C, C, bias=False)
        self.k_proj = nn.Linear(C, C, bias=False)
        self.v_proj = nn.Linear(C, values, bias=False)
        self.g_proj = nn.Linear(C, values, bias=False)
        self.out_proj = nn.Linear(values, C, bias=False)
        for projection in (self.q_proj, self.k_proj, self.v_proj, self.g_proj):
            nn.init.xavier_uniform_(projection.weight, gain=2**-2.5)
        nn.init.xavier_uniform_(self.out_proj.weight, gain=2**-1)

    def forward(self, x, cos, sin):
        B, T, _ = x.shape
        H = self.n_head
        q, k, v = (projection(x).view(B, T, H, -1) for projection in (self.q_proj, self.k_proj, self.v_proj))
        logw = torch.log(1 - 2.0 ** (-5 - torch.arange(H, dtype=torch.float32, device=x.device)))
        logw = logw.view(1, 1, H, 1).expand(B, T, H, 1)
        y, _ = gla(rotate(q, cos, sin), rotate(k, cos, sin), v, logw, None, q.size(-1) ** -0.5)
        y = F.rms_norm(y, y.shape[-1:], eps=1e-6).reshape(B, T, -1)
        return self.out_proj(F.silu(self.g_proj(x)) * y)


class FeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        C, hidden = config.n_embd, 27 * config.n_embd // 16
        self.fc1 = nn.Linear(C, hidden, bias=False)
        self.gate = nn.Linear(C, hidden, bias=False)
        self.fc2 = nn.Linear(hidden, C, bias=False)

    def forward(self, x):
        return self.fc2(F.silu(self.fc1(x)) * self.gate(x))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.retention_layer_norm = RMSNorm(config.n_embd)
        self.retention = Retention(config)
        self.final_layer_norm = RMSNorm(config.n_embd)
        self.ffn = FeedForward(config)

    def forward(self, x, cos, sin):
        x = x + self.retention(self.retention_layer_norm(x), cos, sin)
        return x + self.ffn(self.final_layer_norm(x))


class RetNet(nn.Module):
    def __init__(self, config):
        super().__init__()
        V, C = config.vocab_size, config.n_embd
        self.pairs = C // config.n_head // 2
        self.embed_tokens = nn.Embedding(V, C)
        self.layers = nn.ModuleList([Block(config) for _ in range(config.n_layer)])
        self.layer_norm = RMSNorm(C)
        self.output_projection = nn.Linear(C, V, bias=False)
        nn.init.normal_(self.embed_tokens.weight, std=C**-0.5)
        nn.init.normal_(self.output_projection.weight, std=C**-0.5)

    def forward(self, idx, targets=None):
        x = self.embed_tokens(idx) * math.sqrt(self.embed_tokens.embedding_dim)
        frequencies = 10000.0 ** -torch.linspace(0, 1, self.pairs, device=idx.device)
        angles = torch.arange(idx.size(1), device=idx.device)[:, None, None] * frequencies
        cos, sin = angles.cos(), angles.sin()
        for layer in self.layers:
            x = layer(x, cos, sin)
        logits = self.output_projection(self.layer_norm(x))
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))

    def configure_optimizers(self, weight_decay=0.05, learning_rate=6e-4, betas=None, device_type="cpu"):
        """AdamW with the paper's betas (0.9, 0.98), whatever `betas` says, and its weight decay of 0.05.

        Which parameters decay is not published: matrices and embeddings here, norms not.
        """
        groups = [
            {"params": [p for p in self.parameters() if p.dim() >= 2], "weight_decay": weight_decay},
            {"params": [p for p in self.parameters() if p.dim() < 2], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.98))
