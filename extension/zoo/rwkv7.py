"""RWKV-7 "Goose": a recurrent network that trains in parallel and reads any context with a state of fixed size.

Peng et al., "RWKV-7 'Goose' with Expressive Dynamic State Evolution" (arXiv 2503.14456). Each head keeps an N x N
matrix; a token decays it per channel, removes what it holds along one direction and writes a new key-value pair there
(a generalised delta rule). Initialisation, learning-rate groups and L2Wrap follow BlinkDL's RWKV-LM, whose parameter
names and shapes are kept, so that its checkpoints load.

Memory of the past: n_layer * (N + 2) * n_embd numbers (N = 64: 66 per layer and channel), however long the context.
"""

import math
from dataclasses import dataclass
from typing import Optional

import torch
import torch.nn as nn
from torch.nn import functional as F

from ops import wkv7


@dataclass
class RWKV7Config:
    vocab_size: int = 65536
    n_layer: int = 12
    n_embd: int = 768
    head_size: int = 64
    decay_rank: Optional[int] = None  # inner sizes of the low-rank matrices; None: by the width
    a_rank: Optional[int] = None
    v_rank: Optional[int] = None
    gate_rank: Optional[int] = None
    l2wrap: float = 1e-4  # pull on the largest logit of each position; 0 turns it off


def shift(x):
    """The previous token's vector at every position; zeros at the first."""
    return F.pad(x, (0, 0, 1, -1))


def rank(width, factor):
    """Inner size of a low-rank pair of matrices: about factor * sqrt(width), a multiple of 32."""
    return max(32, int(round(factor * math.sqrt(width) / 32)) * 32)


def vector(values):
    return nn.Parameter(values.view(1, 1, -1))


def low_rank(width, inner):
    """A pair of matrices whose product starts at zero."""
    second = torch.empty(inner, width)
    nn.init.orthogonal_(second, gain=0.1 * max(1.0, math.sqrt(inner / width)))
    return nn.Parameter(torch.zeros(width, inner)), nn.Parameter(second)


class TimeMix(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        self.layer = layer
        self.head_size = config.head_size
        C, N = config.n_embd, config.head_size
        assert C % N == 0, f"a width of {C} is not a multiple of the head size {N}"
        depth = layer / max(1, config.n_layer - 1)  # 0 in the first layer, 1 in the last
        above = 1.0 - layer / config.n_layer  # 1 in the first layer, towards 0
        channel = torch.arange(C, dtype=torch.float32)
        ddd = channel / C
        linear = channel / (C - 1) - 0.5
        z = (channel % N - (N - 1) / 2) / ((N - 1) / 2)
        zigzag = z * z.abs()
        www = -6 + 6 * (channel / (C - 1)) ** (1 + depth**0.3)

        # How much of the difference to the previous token enters r, w, k, v, a and g.
        self.x_r = vector(1.0 - ddd ** (0.2 * above))
        self.x_w = vector(1.0 - ddd ** (0.9 * above))
        self.x_k = vector(1.0 - ddd ** (0.7 * above))
        self.x_v = vector(1.0 - ddd ** (0.7 * above))
        self.x_a = vector(1.0 - ddd ** (0.9 * above))
        self.x_g = vector(1.0 - ddd ** (0.2 * above))

        self.w0 = vector(www + 0.5 + 2.5 * zigzag)
        self.w1, self.w2 = low_rank(C, config.decay_rank or rank(C, 2.5))
        self.a0 = vector(-0.19 + 0.3 * zigzag + 0.4 * linear)
        self.a1, self.a2 = low_rank(C, config.a_rank or rank(C, 2.5))
        if layer > 0:  # the first layer's value is what later layers mix in
            self.v0 = vector(0.73 - 0.4 * linear)
            self.v1, self.v2 = low_rank(C, config.v_rank or rank(C, 1.7))
        self.g1, self.g2 = low_rank(C, config.gate_rank or rank(C, 5.0))
        self.k_k = vector(0.71 - 0.1 * linear)
        self.k_a = vector(torch.full((C,), 1.02))
        self.r_k = nn.Parameter(torch.full((C // N, N), -0.04))

        self.receptance = nn.Linear(C, C, bias=False)
        self.key = nn.Linear(C, C, bias=False)
        self.value = nn.Linear(C, C, bias=False)
        self.output = nn.Linear(C, C, bias=False)
        self.ln_x = nn.GroupNorm(C // N, C, eps=64e-5)
        nn.init.orthogonal_(self.receptance.weight, gain=1.0)
        nn.init.orthogonal_(self.key.weight, gain=0.1)
        nn.init.orthogonal_(self.value.weight, gain=1.0)
        nn.init.zeros_(self.output.weight)
        nn.init.constant_(self.ln_x.weight, ((1 + layer) / config.n_layer) ** 0.7)

    def forward(self, x, v_first):
        B, T, C = x.shape
        N = self.head_size
        H = C // N
        difference = shift(x) - x
        xr = x + difference * self.x_r
        xw = x + difference * self.x_w
        xk = x + difference * self.x_k
        xv = x + difference * self.x_v
        xa = x + difference * self.x_a
        xg = x + difference * self.x_g

        r = self.receptance(xr)
        k = self.key(xk)
        v = self.value(xv)
        # The decay exp(logw) of a channel lies between exp(-exp(-0.5)) = 0.545 and 1.
        logw = -math.exp(-0.5) * torch.sigmoid(self.w0 + torch.tanh(xw @ self.w1) @ self.w2)
        if self.layer == 0:
            v_first = v
        else:
            v = v + (v_first - v) * torch.sigmoid(self.v0 + (xv @ self.v1) @ self.v2)
        a = torch.sigmoid(self.a0 + (xa @ self.a1) @ self.a2)  # how much of the direction is replaced
        g = torch.sigmoid(xg @ self.g1) @ self.g2
        kk = F.normalize((k * self.k_k).view(B, T, H, N), dim=-1, p=2.0)
        k = k * (1 + (a - 1) * self.k_a)

        r, k, v, a = (part.view(B, T, H, N) for part in (r, k, v, a))
        y, _ = wkv7(r, logw.view(B, T, H, N), k, v, -kk, kk * a)
        y = self.ln_x(y.reshape(B * T, C)).view(B, T, C)
        # The current token's own value, weighed by how well its key answers its receptance.
        y = y + ((r * k * self.r_k).sum(dim=-1, keepdim=True) * v).view(B, T, C)
        return self.output(y * g), v_first


class ChannelMix(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        C = config.n_embd
        above = 1.0 - layer / config.n_layer
        self.x_k = vector(1.0 - (torch.arange(C, dtype=torch.float32) / C) ** (above**4))
        self.key = nn.Linear(C, 4 * C, bias=False)
        self.value = nn.Linear(4 * C, C, bias=False)
        nn.init.orthogonal_(self.key.weight, gain=1.0)
        nn.init.zeros_(self.value.weight)

    def forward(self, x):
        k = x + (shift(x) - x) * self.x_k
        return self.value(torch.relu(self.key(k)) ** 2)


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

    def forward(self, x, v_first):
        if self.layer == 0:
            x = self.ln0(x)
        mixed, v_first = self.att(self.ln1(x), v_first)
        x = x + mixed
        return x + self.ffn(self.ln2(x)), v_first


class RWKV7(nn.Module):
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
        v_first = None
        for block in self.blocks:
            x, v_first = block(x, v_first)
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
        """AdamW with RWKV-LM's groups: twice the learning rate for w0, weight decay on weight matrices only.

        The betas (0.9, 0.99) and the epsilon 1e-18 belong to the recipe and are used whatever `betas` says.
        """
        decayed, plain, double = [], [], []
        for name, parameter in self.named_parameters():
            if name.endswith("att.w0"):
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
