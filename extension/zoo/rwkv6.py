"""RWKV-6 "Finch": linear attention with a matrix state per head and a decay that depends on the token.

Peng et al., "Eagle and Finch: RWKV with Matrix-Valued States and Dynamic Recurrence" (arXiv 2404.05892). How far each
layer looks at the previous token, and how fast each channel forgets, are computed from the data by small low-rank
matrices. Initialisation, learning-rate groups and L2Wrap follow BlinkDL's RWKV-LM (x060), whose parameter names and
shapes are kept, so that its checkpoints load.

Memory of the past: n_layer * (N + 2) * n_embd numbers (N = 64: 66 per layer and channel), however long the context.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn as nn
from torch.nn import functional as F

from ops import wkv6


@dataclass
class RWKV6Config:
    vocab_size: int = 65536
    n_layer: int = 12
    n_embd: int = 768
    head_size: int = 64
    mix_rank: int = 32  # 64 from 7B on
    decay_rank: int = 64  # 128 from 7B on
    l2wrap: float = 1e-4  # pull on the largest logit of each position; 0 turns it off


def shift(x):
    """The previous token's vector at every position; zeros at the first."""
    return F.pad(x, (0, 0, 1, -1))


def vector(values):
    return nn.Parameter(values.view(1, 1, -1))


def small(*shape):
    return nn.Parameter(torch.empty(*shape).uniform_(-0.01, 0.01))


class TimeMix(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        C, N = config.n_embd, config.head_size
        assert C % N == 0, f"a width of {C} is not a multiple of the head size {N}"
        self.head_size = N
        depth = layer / max(1, config.n_layer - 1)  # 0 in the first layer, 1 in the last
        above = 1.0 - layer / config.n_layer  # 1 in the first layer, towards 0
        channel = torch.arange(C, dtype=torch.float32)
        ddd = channel / C
        position = channel / (C - 1)

        # How much of the difference to the previous token enters each projection, before the data has its say.
        self.time_maa_x = vector(1.0 - ddd**above)
        self.time_maa_w = vector(1.0 - ddd**above)
        self.time_maa_k = vector(1.0 - ddd**above)
        self.time_maa_v = vector(1.0 - (ddd**above + 0.3 * depth))
        self.time_maa_r = vector(1.0 - ddd ** (0.5 * above))
        self.time_maa_g = vector(1.0 - ddd ** (0.5 * above))
        self.time_maa_w1 = nn.Parameter(torch.zeros(C, 5 * config.mix_rank))
        self.time_maa_w2 = small(5, config.mix_rank, C)

        self.time_decay = vector(-6 + 5 * position ** (0.7 + 1.3 * depth))
        self.time_decay_w1 = nn.Parameter(torch.zeros(C, config.decay_rank))
        self.time_decay_w2 = small(config.decay_rank, C)
        zigzag = ((channel + 1) % 3 - 1) * 0.1
        self.time_faaaa = nn.Parameter((depth * (1 - position) + zigzag).view(C // N, N))

        self.receptance = nn.Linear(C, C, bias=False)
        self.key = nn.Linear(C, C, bias=False)
        self.value = nn.Linear(C, C, bias=False)
        self.output = nn.Linear(C, C, bias=False)
        self.gate = nn.Linear(C, C, bias=False)
        self.ln_x = nn.GroupNorm(C // N, C, eps=64e-5)
        nn.init.orthogonal_(self.receptance.weight, gain=1.0)
        nn.init.orthogonal_(self.key.weight, gain=0.1)
        nn.init.orthogonal_(self.value.weight, gain=1.0)
        nn.init.zeros_(self.output.weight)
        nn.init.orthogonal_(self.gate.weight, gain=0.1)
        nn.init.constant_(self.ln_x.weight, ((1 + layer) / config.n_layer) ** 0.7)

    def forward(self, x):
        B, T, C = x.shape
        N = self.head_size
        H = C // N
        difference = shift(x) - x
        mixed = torch.tanh((x + difference * self.time_maa_x) @ self.time_maa_w1)
        mixed = mixed.view(B * T, 5, -1).transpose(0, 1)
        mw, mk, mv, mr, mg = torch.bmm(mixed, self.time_maa_w2).view(5, B, T, C).unbind(dim=0)
        xw = x + difference * (self.time_maa_w + mw)
        xk = x + difference * (self.time_maa_k + mk)
        xv = x + difference * (self.time_maa_v + mv)
        xr = x + difference * (self.time_maa_r + mr)
        xg = x + difference * (self.time_maa_g + mg)

        r = self.receptance(xr).view(B, T, H, N)
        k = self.key(xk).view(B, T, H, N)
        v = self.value(xv).view(B, T, H, N)
        g = F.silu(self.gate(xg))
        logw = -torch.exp(self.time_decay + torch.tanh(xw @ self.time_decay_w1) @ self.time_decay_w2)
        y, _ = wkv6(r, k, v, logw.view(B, T, H, N), self.time_faaaa)
        y = self.ln_x(y.reshape(B * T, C)).view(B, T, C)
        return self.output(y * g)


class ChannelMix(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        C = config.n_embd
        hidden = int(3.5 * C) // 32 * 32
        above = 1.0 - layer / config.n_layer
        mix = 1.0 - (torch.arange(C, dtype=torch.float32) / C) ** (above**3)
        self.time_maa_k = vector(mix)
        self.time_maa_r = vector(mix.clone())
        self.key = nn.Linear(C, hidden, bias=False)
        self.receptance = nn.Linear(C, C, bias=False)
        self.value = nn.Linear(hidden, C, bias=False)
        nn.init.orthogonal_(self.key.weight, gain=1.0)
        nn.init.zeros_(self.receptance.weight)
        nn.init.zeros_(self.value.weight)

    def forward(self, x):
        difference = shift(x) - x
        k = torch.relu(self.key(x + difference * self.time_maa_k)) ** 2
        return torch.sigmoid(self.receptance(x + difference * self.time_maa_r)) * self.value(k)


class Block(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        self.layer = layer
        if layer == 0:
            self.ln0 = nn.LayerNorm(config.n_embd)
        self.ln1 = nn.LayerNorm(config.n_embd)
        self.ln2 = nn.LayerNorm(config.n_embd)
        self.att = TimeMix(config, layer)
        self.ffn = ChannelMix(config, layer)

    def forward(self, x):
        if self.layer == 0:
            x = self.ln0(x)
        x = x + self.att(self.ln1(x))
        return x + self.ffn(self.ln2(x))


class RWKV6(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        V, C = config.vocab_size, config.n_embd
        self.emb = nn.Embedding(V, C)
        self.blocks = nn.ModuleList([Block(config, layer) for layer in range(config.n_layer)])
        self.ln_out = nn.LayerNorm(C)
        self.head = nn.Linear(C, V, bias=False)
        nn.init.uniform_(self.emb.weight, -1e-4, 1e-4)
        nn.init.orthogonal_(self.head.weight, gain=0.5 * math.sqrt(max(1.0, V / C)))

    def forward(self, idx, targets=None):
        x = self.emb(idx)
        for block in self.blocks:
            x = block(x)
        logits = self.head(self.ln_out(x))
        if targets is None:
            return logits, None
        loss = F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))
        if self.training and self.config.l2wrap > 0:
            # L2Wrap: changes the gradient of the largest logits, not the loss that is reported.
            pull = 0.5 * self.config.l2wrap * (logits.amax(dim=-1) ** 2).mean()
            loss = loss + (pull - pull.detach())
        return logits, loss

    def configure_optimizers(self, weight_decay=0.001, learning_rate=6e-4, betas=None, device_type="cpu"):
        """AdamW with RWKV-LM's groups: twice the learning rate for the decay, weight decay on weight matrices only.

        The betas (0.9, 0.99) and the epsilon 1e-18 belong to the recipe and are used whatever `betas` says.
        """
        decayed, plain, double = [], [], []
        for name, parameter in self.named_parameters():
            if name.endswith("att.time_decay"):
                double.append(parameter)
            elif name.endswith(".weight") and parameter.dim() >= 2:
                decayed.append(parameter)
            else:
                plain.append(parameter)
        groups = [
            {"params": decayed, "weight_decay": weight_decay},
            {"params": plain, "weight_decay": 0.0},
            {"params": double, "weight_decay": 0.0, "lr": 2 * learning_rate},
        ]
        return torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.99), eps=1e-18)
