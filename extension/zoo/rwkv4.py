"""RWKV-4 "Dove": a recurrent network without matrices in its state, trained in parallel like a transformer.

Peng et al., "RWKV: Reinventing RNNs for the Transformer Era" (arXiv 2305.13048). Each channel keeps a mean of past values,
weighted by their keys and fading at a rate of its own; the current token enters with a bonus. Initialisation,
learning-rate groups and L2Wrap follow BlinkDL's RWKV-LM (v4neo), whose parameter names and shapes are kept, so that
its checkpoints load.

Memory of the past: 5 * n_layer * n_embd numbers (two previous tokens, two sums and their exponent), however long the
context.
"""

import math
from dataclasses import dataclass
from typing import Optional

import torch
import torch.nn as nn
from torch.nn import functional as F

from ops import wkv4


@dataclass
class RWKV4Config:
    vocab_size: int = 50277
    n_layer: int = 12
    n_embd: int = 768
    n_ffn: Optional[int] = None  # width inside the channel mix; None: 4 times the width
    emb_init: float = 6e-4  # bound of the embeddings' start; RWKV-LM takes its first learning rate
    l2wrap: float = 1e-4  # pull on the largest logit of each position; 0 turns it off


def shift(x):
    """The previous token's vector at every position; zeros at the first."""
    return F.pad(x, (0, 0, 1, -1))


def vector(values):
    return nn.Parameter(values.view(1, 1, -1))


class TimeMix(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        C = config.n_embd
        depth = layer / max(1, config.n_layer - 1)  # 0 in the first layer, 1 in the last
        above = 1.0 - layer / config.n_layer  # 1 in the first layer, towards 0
        channel = torch.arange(C, dtype=torch.float32)
        ddd = channel / C

        # A channel's past fades by exp(-exp(time_decay)) per token; its own token counts exp(time_first) times more.
        self.time_decay = nn.Parameter(-5 + 8 * (channel / (C - 1)) ** (0.7 + 1.3 * depth))
        self.time_first = nn.Parameter(math.log(0.3) + 0.5 * ((channel + 1) % 3 - 1))
        # How much of the current token enters k, v and r; the rest is the previous token's.
        self.time_mix_k = vector(ddd**above)
        self.time_mix_v = vector(ddd**above + 0.3 * depth)
        self.time_mix_r = vector(ddd ** (0.5 * above))

        self.key = nn.Linear(C, C, bias=False)
        self.value = nn.Linear(C, C, bias=False)
        self.receptance = nn.Linear(C, C, bias=False)
        self.output = nn.Linear(C, C, bias=False)
        nn.init.zeros_(self.key.weight)
        nn.init.orthogonal_(self.value.weight)
        nn.init.zeros_(self.receptance.weight)
        nn.init.zeros_(self.output.weight)

    def forward(self, x):
        previous = shift(x)
        k = self.key(x * self.time_mix_k + previous * (1 - self.time_mix_k))
        v = self.value(x * self.time_mix_v + previous * (1 - self.time_mix_v))
        r = self.receptance(x * self.time_mix_r + previous * (1 - self.time_mix_r))
        y, _ = wkv4(-torch.exp(self.time_decay), self.time_first, k, v)
        return self.output(torch.sigmoid(r) * y)


class ChannelMix(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        C, hidden = config.n_embd, config.n_ffn or 4 * config.n_embd
        ddd = torch.arange(C, dtype=torch.float32) / C
        above = 1.0 - layer / config.n_layer
        self.time_mix_k = vector(ddd**above)
        self.time_mix_r = vector(ddd**above)
        self.key = nn.Linear(C, hidden, bias=False)
        self.receptance = nn.Linear(C, C, bias=False)
        self.value = nn.Linear(hidden, C, bias=False)
        nn.init.orthogonal_(self.key.weight, gain=math.sqrt(max(1.0, hidden / C)))
        nn.init.zeros_(self.receptance.weight)
        nn.init.zeros_(self.value.weight)

    def forward(self, x):
        previous = shift(x)
        k = self.key(x * self.time_mix_k + previous * (1 - self.time_mix_k))
        r = self.receptance(x * self.time_mix_r + previous * (1 - self.time_mix_r))
        return torch.sigmoid(r) * self.value(torch.relu(k) ** 2)


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


class RWKV4(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        V, C = config.vocab_size, config.n_embd
        self.emb = nn.Embedding(V, C)
        self.blocks = nn.ModuleList([Block(config, layer) for layer in range(config.n_layer)])
        self.ln_out = nn.LayerNorm(C)
        self.head = nn.Linear(C, V, bias=False)
        nn.init.uniform_(self.emb.weight, -config.emb_init, config.emb_init)
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

    def configure_optimizers(self, weight_decay=0.01, learning_rate=6e-4, betas=None, device_type="cpu"):
        """AdamW with RWKV-LM's groups: 2 times the learning rate for time_decay, 3 for time_first, decay of matrices only.

        The betas (0.9, 0.99) and the epsilon 1e-8 belong to the recipe and are used whatever `betas` says.
        """
        decayed, plain, double, triple = [], [], [], []
        for name, parameter in self.named_parameters():
            if name.endswith("time_decay"):
                double.append(parameter)
            elif name.endswith("time_first"):
                triple.append(parameter)
            elif name.endswith(".weight") and parameter.dim() >= 2:
                decayed.append(parameter)
            else:
                plain.append(parameter)
        groups = [
            {"params": decayed, "weight_decay": weight_decay},
            {"params": plain, "weight_decay": 0.0},
            {"params": double, "weight_decay": 0.0, "lr": 2 * learning_rate},
            {"params": triple, "weight_decay": 0.0, "lr": 3 * learning_rate},
        ]
        return torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.99), eps=1e-8)
