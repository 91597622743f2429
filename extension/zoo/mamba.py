"""Mamba: a state-space model whose steps, inputs and outputs depend on the token, so that it can choose what to keep.

Gu and Dao, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces" (arXiv 2312.00752). Every block is one
mixer, without an MLP: a projection gives input and gate; a short causal convolution blurs the input over four tokens;
each channel keeps d_state sums that decay at paces of their own, faster for a larger step dt; B says what enters them
and C reads them. Names, shapes and initialisation are those of mamba_ssm, so that its checkpoints load.

Memory of the past: n_layer * expand * d_model * (d_state + d_conv - 1) numbers, 2 * 19 per layer and channel, however
long the context.
"""

import math
from dataclasses import dataclass
from typing import Optional

import torch
import torch.nn as nn
from torch.nn import functional as F

from ops import selective_scan


@dataclass
class MambaConfig:
    vocab_size: int = 50280
    n_layer: int = 24
    d_model: int = 768
    d_state: int = 16
    d_conv: int = 4
    expand: int = 2
    dt_rank: Optional[int] = None  # numbers that a channel's step is computed from; None: a sixteenth of the width


class RMSNorm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight, eps=1e-5)


class Mixer(nn.Module):
    def __init__(self, config):
        super().__init__()
        C = config.d_model
        self.inner, self.state = config.expand * C, config.d_state
        self.rank = config.dt_rank or math.ceil(C / 16)
        self.in_proj = nn.Linear(C, 2 * self.inner, bias=False)
        self.conv1d = nn.Conv1d(self.inner, self.inner, config.d_conv, groups=self.inner, padding=config.d_conv - 1)
        self.x_proj = nn.Linear(self.inner, self.rank + 2 * self.state, bias=False)
        self.dt_proj = nn.Linear(self.rank, self.inner)
        nn.init.uniform_(self.dt_proj.weight, -(self.rank**-0.5), self.rank**-0.5)
        # Steps dt between 0.001 and 0.1, evenly in their logarithm, through the inverse of softplus.
        dt = torch.exp(torch.rand(self.inner) * (math.log(0.1) - math.log(0.001)) + math.log(0.001)).clamp(min=1e-4)
        with torch.no_grad():
            self.dt_proj.bias.copy_(dt + torch.log(-torch.expm1(-dt)))
        # The paces of a channel's sums, -exp(A_log), start at -1 to -d_state.
        paces = torch.arange(1, self.state + 1, dtype=torch.float32)
        self.A_log = nn.Parameter(torch.log(paces).repeat(self.inner, 1))
        self.D = nn.Parameter(torch.ones(self.inner))
        self.out_proj = nn.Linear(self.inner, C, bias=False)
        with torch.no_grad():
            # Starts smaller by the number of projections into the residual stream.
            self.out_proj.weight /= math.sqrt(config.n_layer)

    def forward(self, u):
        T = u.shape[1]
        x, z = self.in_proj(u).chunk(2, dim=-1)
        x = F.silu(self.conv1d(x.transpose(1, 2))[..., :T].transpose(1, 2))
        dt, B, C = self.x_proj(x).split([self.rank, self.state, self.state], dim=-1)
        dt = F.softplus(self.dt_proj(dt))
        y, _ = selective_scan(x, dt, -torch.exp(self.A_log), B, C)
        return self.out_proj((y + self.D * x) * F.silu(z))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.norm = RMSNorm(config.d_model)
        self.mixer = Mixer(config)

    def forward(self, x):
        return x + self.mixer(self.norm(x))


class Mamba(nn.Module):
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
        """AdamW; no weight decay on A_log, D, biases and norms."""
        decays = {True: [], False: []}
        for name, parameter in self.named_parameters():
            decays[parameter.dim() >= 2 and not name.endswith("A_log")].append(parameter)
        groups = [
            {"params": decays[True], "weight_decay": weight_decay},
            {"params": decays[False], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=learning_rate, betas=betas)
