"""Gated DeltaNet: a matrix state per head that forgets, and corrects what it stored under a key instead of adding to it.

Yang, Kautz and Hatamizadeh, "Gated Delta Networks: Improving Mamba2 with Delta Rule" (arXiv 2412.06464). Per token and
head, a gate as in Mamba-2 shrinks the state, and a share beta of what it holds under the key is replaced by the value.
Queries, keys and values pass a short causal convolution, queries and keys are normalised to length 1; each head's output
is normalised alone and gated; a SwiGLU feed-forward layer follows. Keys have 3/4 of the width, values 3/2. Sizes and
initialisation are those of the authors' flash-linear-attention.

Memory of the past: n_layer * (9/8 * n_embd^2 / n_head + 3 * (conv_size - 1) * n_embd) numbers, however long the context.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn as nn
from torch.nn import functional as F

from ops import wkv7


@dataclass
class GatedDeltaNetConfig:
    vocab_size: int = 32000
    n_layer: int = 21
    n_head: int = 6
    n_embd: int = 2048
    conv_size: int = 4
    multiple_of: int = 256  # the feed-forward layer's 8/3 of the width are rounded up to this


class RMSNorm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight, eps=1e-6)


class ShortConvolution(nn.Module):
    """SiLU of each channel's weighted sum over its last few tokens; x is [B, T, channels]."""

    def __init__(self, channels, size):
        super().__init__()
        self.conv1d = nn.Conv1d(channels, channels, size, groups=channels, padding=size - 1, bias=False)

    def forward(self, x):
        return F.silu(self.conv1d(x.transpose(1, 2))[..., : x.size(1)].transpose(1, 2))


def unit(x):
    """Rows of length 1."""
    return x * torch.rsqrt(x.square().sum(dim=-1, keepdim=True) + 1e-6)


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        C, H = config.n_embd, config.n_head
        keys, values = 3 * C // 4, 3 * C // 2
        assert C % 4 == 0 and keys % H == 0, f"keys of {keys} channels do not divide into {H} heads"
        self.n_head = H
        self.q_proj = nn.Linear(C, keys, bias=False)
        self.k_proj = nn.Linear(C, keys, bias=False)
        self.v_proj = nn.Linear(C, values, bias=False)
        self.a_proj = nn.Linear(C, H, bias=False)
        self.b_proj = nn.Linear(C, H, bias=False)
        self.g_proj = nn.Linear(C, values, bias=False)
        self.o_proj = nn.Linear(values, C, bias=False)
        self.q_conv = ShortConvolution(keys, config.conv_size)
        self.k_conv = ShortConvolution(keys, config.conv_size)
        self.v_conv = ShortConvolution(values, config.conv_size)
        self.o_norm = RMSNorm(values // H)
        self.A_log = nn.Parameter(torch.log(torch.empty(H).uniform_(0, 16)))
        # Steps between 0.001 and 0.1, evenly in their logarithm, through the inverse of softplus.
        dt = torch.exp(torch.rand(H) * (math.log(0.1) - math.log(0.001)) + math.log(0.001)).clamp(min=1e-4)
        self.dt_bias = nn.Parameter(dt + torch.log(-torch.expm1(-dt)))

    def forward(self, x):
        B, T, _ = x.shape
        H = self.n_head
        q = unit(self.q_conv(self.q_proj(x)).view(B, T, H, -1))
        k = unit(self.k_conv(self.k_proj(x)).view(B, T, H, -1))
        v = self.v_conv(self.v_proj(x)).view(B, T, H, -1)
        N = q.size(-1)
        logw = -torch.exp(self.A_log) * F.softplus(self.a_proj(x) + self.dt_bias)  # [B, T, H]
        beta = torch.sigmoid(self.b_proj(x))

        # S <- exp(logw) S (1 - beta k^T k) + beta v^T k.
        removed = -(beta * torch.exp(logw)).unsqueeze(-1) * k
        decay = logw.unsqueeze(-1).expand(B, T, H, N)
        y, _ = wkv7(q * N**-0.5, decay, k, v * beta.unsqueeze(-1), k, removed)
        y = self.o_norm(y) * F.silu(self.g_proj(x)).view(B, T, H, 2 * N)
        return self.o_proj(y.reshape(B, T, -1))


class FeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden = -(-(8 * config.n_embd // 3) // config.multiple_of) * config.multiple_of
        self.gate_proj = nn.Linear(config.n_embd, hidden, bias=False)
        self.up_proj = nn.Linear(config.n_embd, hidden, bias=False)
        self.down_proj = nn.Linear(hidden, config.n_embd, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.attn_norm = RMSNorm(config.n_embd)
        self.attn = Attention(config)
        self.mlp_norm = RMSNorm(config.n_embd)
        self.mlp = FeedForward(config)

    def forward(self, x):
        x = x + self.attn(self.attn_norm(x))
        return x + self.mlp(self.mlp_norm(x))


class GatedDeltaNet(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embeddings = nn.Embedding(config.vocab_size, config.n_embd)
        self.layers = nn.ModuleList([Block(config) for _ in range(config.n_layer)])
        self.norm = RMSNorm(config.n_embd)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Conv1d, nn.Embedding)):
                nn.init.normal_(module.weight, std=0.02)

    def forward(self, idx, targets=None):
        x = self.embeddings(idx)
        for layer in self.layers:
            x = layer(x)
        logits = self.lm_head(self.norm(x))
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))

    def configure_optimizers(self, weight_decay=0.1, learning_rate=4e-4, betas=(0.9, 0.95), device_type="cpu"):
        """AdamW with the paper's learning rate of 4e-4 and weight decay of 0.1; none on A_log, dt_bias and norms."""
        groups = [
            {"params": [p for p in self.parameters() if p.dim() >= 2], "weight_decay": weight_decay},
            {"params": [p for p in self.parameters() if p.dim() < 2], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=learning_rate, betas=betas)
