"""LSTM: the recurrent network of the years before transformers, stacked with the means of today.

Hochreiter and Schmidhuber, "Long Short-Term Memory" (1997), with the forget gate of Gers et al. (2000), as nn.LSTM. Each
layer's output of one token enters the gates of the next, so that tokens can only be computed one after another.
Layers stand in a residual stream with norms before them, as a transformer's do, without which stacks of more than a few
do not train. PyTorch's initialisation, but for forget gates, which start open (a bias of 1, Jozefowicz et al. 2015), and
recurrent matrices, which start orthogonal gate by gate.

Memory of the past: 2 * n_layer * n_embd numbers (output and cell), however long the context.
"""

from dataclasses import dataclass

import torch
import torch.nn as nn
from torch.nn import functional as F


@dataclass
class LSTMConfig:
    vocab_size: int = 50304
    n_layer: int = 12
    n_embd: int = 768
    dropout: float = 0.0


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        C = config.n_embd
        self.norm = nn.LayerNorm(C)
        self.lstm = nn.LSTM(C, C, batch_first=True)
        self.dropout = nn.Dropout(config.dropout)
        with torch.no_grad():
            for gate in range(4):
                rows = slice(gate * C, (gate + 1) * C)
                self.lstm.weight_hh_l0[rows].copy_(nn.init.orthogonal_(torch.empty(C, C)))
            # Gates stand in the order input, forget, cell, output; both biases are added.
            self.lstm.bias_ih_l0.zero_()
            self.lstm.bias_hh_l0.zero_()
            self.lstm.bias_ih_l0[C : 2 * C] = 1.0

    def forward(self, x):
        y, _ = self.lstm(self.norm(x))
        return x + self.dropout(y)


class LSTM(nn.Module):
    def __init__(self, config):
        super().__init__()
        V, C = config.vocab_size, config.n_embd
        self.emb = nn.Embedding(V, C)
        self.blocks = nn.ModuleList([Block(config) for _ in range(config.n_layer)])
        self.norm = nn.LayerNorm(C)
        self.head = nn.Linear(C, V, bias=False)
        nn.init.normal_(self.emb.weight, std=0.02)
        self.head.weight = self.emb.weight

    def forward(self, idx, targets=None):
        x = self.emb(idx)
        for block in self.blocks:
            x = block(x)
        logits = self.head(self.norm(x))
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))

    def configure_optimizers(self, weight_decay=0.1, learning_rate=1e-3, betas=(0.9, 0.95), device_type="cpu"):
        """AdamW; no weight decay on biases and norms."""
        groups = [
            {"params": [p for p in self.parameters() if p.dim() >= 2], "weight_decay": weight_decay},
            {"params": [p for p in self.parameters() if p.dim() < 2], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=learning_rate, betas=betas)
