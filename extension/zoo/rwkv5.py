"""RWKV-5 "Eagle": linear attention with a matrix state per head, and a fixed decay per channel.

Peng et al., "Eagle and Finch: RWKV with Matrix-Valued States and Dynamic Recurrence" (arXiv 2404.05892). Each projection
sees a fixed mix of the token and the one before it; what a channel keeps of its state per token is learned, and the
same for all tokens. Initialisation, learning-rate groups and L2Wrap follow BlinkDL's RWKV-LM (x052), whose parameter
names and shapes are kept, so that its checkpoints load. Version 5.1 has one decay and one bonus per head, and a narrower
feed-forward layer.

Memory of the past: n_layer * (N + 2) * n_embd numbers (N = 64: 66 per layer and channel), however long the context.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn as nn
from torch.nn import functional as F

from ops import wkv6


@dataclass
class RWKV5Config:
    vocab_size: int = 65536
    n_layer: int = 12
    n_embd: int = 768
    head_size: int = 64
    head_size_divisor: float = 8.0  # of what a head reads, before it is normalised
    n_ffn: int = None  # 3.5 times the width and whole 32s (3 times in 5.1) when left out
    version: str = "5.2"  # or "5.1"
    l2wrap: float = 1e-4  # pull on the largest logit of each position; 0 turns it off


def shift(x):
    """The previous token's vector at every position; zeros at the first."""
    return F.pad(x, (0, 0, 1, -1))


def vector(values):
    return nn.Parameter(values.view(1, 1, -1))


class TimeMix(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        C, N = config.n_embd, config.head_size
        assert C % N == 0, f"a width of {C} is not a multiple of the head size {N}"
        assert config.version in ("5.1", "5.2"), f"version is {config.version}; RWKV-5 has 5.1 and 5.2"
        self.head_size = N
        depth = layer / max(1, config.n_layer - 1)  # 0 in the first layer, 1 in the last
        above = 1.0 - layer / config.n_layer  # 1 in the first layer, towards 0
        ddd = torch.arange(C, dtype=torch.float32) / C

        # How much of the token itself, and not of the one before it, enters each projection.
        self.time_mix_k = vector(ddd**above)
        self.time_mix_v = vector(ddd**above + 0.3 * depth)
        self.time_mix_r = vector(ddd ** (0.5 * above))
        self.time_mix_g = vector(ddd ** (0.5 * above))

        # The state is multiplied by exp(-exp(time_decay)) per token; the token itself counts time_faaaa times.
        decays = torch.arange(C if config.version == "5.2" else C // N, dtype=torch.float32)
        position = decays / max(1, len(decays) - 1)
        zigzag = ((decays + 1) % 3 - 1) * (0.1 if config.version == "5.2" else 0.0)
        self.time_decay = nn.Parameter((-6 + 5 * position ** (0.7 + 1.3 * depth)).view(C // N, -1))
        self.time_faaaa = nn.Parameter((depth * (1 - position) + zigzag).view(C // N, -1))

        self.receptance = nn.Linear(C, C, bias=False)
        self.key = nn.Linear(C, C, bias=False)
        self.value = nn.Linear(C, C, bias=False)
        self.output = nn.Linear(C, C, bias=False)
        self.gate = nn.Linear(C, C, bias=False)
        self.ln_x = nn.GroupNorm(C // N, C, eps=1e-5 * config.head_size_divisor**2)
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
        before = shift(x)
        difference = x - before
        r = self.receptance(before + difference * self.time_mix_r).view(B, T, H, N)
        k = self.key(before + difference * self.time_mix_k).view(B, T, H, N)
        v = self.value(before + difference * self.time_mix_v).view(B, T, H, N)
        g = F.silu(self.gate(before + difference * self.time_mix_g))
        logw = (-torch.exp(self.time_decay)).expand(B, T, H, N)
        y, _ = wkv6(r, k, v, logw, self.time_faaaa.expand(H, N))
        y = self.ln_x(y.reshape(B * T, C)).view(B, T, C)
        return self.output(y * g)


class ChannelMix(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        C = config.n_embd
        hidden = config.n_ffn or (int(3.5 * C) // 32 * 32 if config.version == "5.2" else 3 * C)
        mix = (torch.arange(C, dtype=torch.float32) / C) ** (1.0 - layer / config.n_layer)
        self.time_mix_k = vector(mix)
        self.time_mix_r = vector(mix.clone())
        self.key = nn.Linear(C, hidden, bias=False)
        self.receptance = nn.Linear(C, C, bias=False)
        self.value = nn.Linear(hidden, C, bias=False)
        nn.init.orthogonal_(self.key.weight, gain=1.0)
        nn.init.zeros_(self.receptance.weight)
        nn.init.zeros_(self.value.weight)

    def forward(self, x):
        before = shift(x)
        difference = x - before
        k = torch.relu(self.key(before + difference * self.time_mix_k)) ** 2
        return torch.sigmoid(self.receptance(before + difference * self.time_mix_r)) * self.value(k)


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


class RWKV5(nn.Module):
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
