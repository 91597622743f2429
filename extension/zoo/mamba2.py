"""Mamba-2: a state-space model with one decay per head and token, which is linear attention with a data-dependent fade.

Dao and Gu, "Transformers are SSMs" (arXiv 2405.21060). Every block is one mixer, without an MLP: a projection gives
gate, input, keys B, queries C and step sizes dt; a short causal convolution blurs input, B and C over four tokens; the
state of each head is multiplied by exp(dt A) and gains dt B^T x; C reads it. Names, shapes and initialisation are
those of mamba_ssm, so that its checkpoints load.

Memory of the past: n_layer * (expand * d_model * d_state + (d_conv - 1) * (expand * d_model + 2 * ngroups * d_state))
numbers, 2 * 128 per layer and channel and a little for the convolution, however long the context.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn as nn
from torch.nn import functional as F

from ops import gla


@dataclass
class Mamba2Config:
    vocab_size: int = 50288
    n_layer: int = 24
    d_model: int = 768
    d_state: int = 128
    d_conv: int = 4
    expand: int = 2
    headdim: int = 64
    ngroups: int = 1  # of B and C, each shared by consecutive heads


class RMSNorm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight, eps=1e-5)


class GatedRMSNorm(nn.Module):
    """RMSNorm of x silu(z), each group of channels by itself."""

    def __init__(self, size, groups):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.groups = groups

    def forward(self, x, z):
        x = (x * F.silu(z)).unflatten(-1, (self.groups, -1))
        return F.rms_norm(x, x.shape[-1:], eps=1e-5).flatten(-2) * self.weight


class Mixer(nn.Module):
    def __init__(self, config):
        super().__init__()
        C = config.d_model
        self.inner, self.state, self.size, self.groups = config.expand * C, config.d_state, config.headdim, config.ngroups
        assert self.inner % self.size == 0, f"{self.inner} channels do not divide into heads of {self.size}"
        self.heads = self.inner // self.size
        assert self.heads % self.groups == 0, f"{self.heads} heads do not divide into {self.groups} groups"
        blurred = self.inner + 2 * self.groups * self.state  # x, B and C
        self.in_proj = nn.Linear(C, self.inner + blurred + self.heads, bias=False)
        self.conv1d = nn.Conv1d(blurred, blurred, config.d_conv, groups=blurred, padding=config.d_conv - 1)
        # Steps dt between 0.001 and 0.1, evenly in their logarithm, through the inverse of softplus.
        dt = torch.exp(torch.rand(self.heads) * (math.log(0.1) - math.log(0.001)) + math.log(0.001)).clamp(min=1e-4)
        self.dt_bias = nn.Parameter(dt + torch.log(-torch.expm1(-dt)))
        self.A_log = nn.Parameter(torch.log(torch.empty(self.heads).uniform_(1, 16)))
        self.D = nn.Parameter(torch.ones(self.heads))
        self.norm = GatedRMSNorm(self.inner, self.groups)
        self.out_proj = nn.Linear(self.inner, C, bias=False)
        with torch.no_grad():
            # Starts smaller by the number of projections into the residual stream.
            self.out_proj.weight /= math.sqrt(config.n_layer)

    def forward(self, u):
        B, T, _ = u.shape
        H, P, G, N = self.heads, self.size, self.groups, self.state
        z, xbc, dt = self.in_proj(u).split([self.inner, self.inner + 2 * G * N, H], dim=-1)
        xbc = F.silu(self.conv1d(xbc.transpose(1, 2))[..., :T].transpose(1, 2))
        x, keys, queries = xbc.split([self.inner, G * N, G * N], dim=-1)
        dt = F.softplus(dt + self.dt_bias)
        x = x.view(B, T, H, P)
        logw = (dt * -torch.exp(self.A_log)).unsqueeze(-1)
        y, _ = gla(queries.view(B, T, G, N), keys.view(B, T, G, N), x * dt.unsqueeze(-1), logw)
        y = y + self.D.unsqueeze(-1) * x
        return self.out_proj(self.norm(y.reshape(B, T, self.inner), z))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.norm = RMSNorm(config.d_model)
        self.mixer = Mixer(config)

    def forward(self, x):
        return x + self.mixer(self.norm(x))


class Mamba2(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.backbone = nn.ModuleDict(
            dict(
                embedding=nn.Embedding(config.vocab_size, config.d_model),
                layers=nn.ModuleList([Block(config) for _ in range(config.n_layer)]),
                norm_f=RMSNorm(config.d_model),
            )
        )
        self.lm_head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        nn.init.normal_(self.backbone.embedding.weight, std=0.02)
        self.lm_head.weight = self.backbone.embedding.weight

    def forward(self, idx, targets=None):
        x = self.backbone.embedding(idx)
        for layer in self.backbone.layers:
            x = layer(x)
        logits = self.lm_head(self.backbone.norm_f(x))
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))

    def configure_optimizers(self, weight_decay=0.1, learning_rate=6e-4, betas=(0.9, 0.95), device_type="cpu"):
        """AdamW; no weight decay on A_log, dt_bias, D, biases and norms, which all have one dimension."""
        groups = [
            {"params": [p for p in self.parameters() if p.dim() >= 2], "weight_decay": weight_decay},
            {"params": [p for p in self.parameters() if p.dim() < 2], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=learning_rate, betas=betas)
