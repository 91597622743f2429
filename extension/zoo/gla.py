"""GLA: linear attention whose memory fades per channel, by gates computed from the data.

Yang et al., "Gated Linear Attention Transformers with Hardware-Efficient Training" (arXiv 2312.06635). Keys have half
the width, values all of it; the gates come from a low-rank matrix and are slow (the sixteenth root of a sigmoid); each
head's output is normalised alone and gated; a SwiGLU feed-forward layer follows, as in Llama. Sizes and initialisation
are those of the authors' flash-linear-attention.

Memory of the past: n_layer * n_embd^2 / (2 * n_head) numbers (256 per layer and channel in the published 1.3B model),
however long the context.
"""

from dataclasses import dataclass

import torch
import torch.nn as nn
from torch.nn import functional as F

from ops import gla


@dataclass
class GLAConfig:
    vocab_size: int = 32000
    n_layer: int = 24
    n_head: int = 4
    n_embd: int = 2048
    gate_rank: int = 16
    gate_divisor: float = 16.0  # of the log decay
    multiple_of: int = 256  # the feed-forward layer's 8/3 of the width are rounded up to this


class RMSNorm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight, eps=1e-6)


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        C, H = config.n_embd, config.n_head
        assert C % (2 * H) == 0, f"a width of {C} does not divide into {H} heads with keys of half their size"
        self.n_head, self.divisor = H, config.gate_divisor
        self.q_proj = nn.Linear(C, C // 2, bias=False)
        self.k_proj = nn.Linear(C, C // 2, bias=False)
        self.v_proj = nn.Linear(C, C, bias=False)
        self.g_proj = nn.Linear(C, C, bias=False)
        self.gk_proj = nn.Sequential(
            nn.Linear(C, config.gate_rank, bias=False), nn.Linear(config.gate_rank, C // 2, bias=True)
        )
        self.g_norm = RMSNorm(C // H)
        self.o_proj = nn.Linear(C, C, bias=False)

    def forward(self, x):
        B, T, C = x.shape
        H = self.n_head
        q, k, v = (projection(x).view(B, T, H, -1) for projection in (self.q_proj, self.k_proj, self.v_proj))
        logw = F.logsigmoid(self.gk_proj(x)).view(B, T, H, -1) / self.divisor
        y, _ = gla(q, k, v, logw, None, q.size(-1) ** -0.5)
        return self.o_proj(self.g_norm(y).reshape(B, T, C) * F.silu(self.g_proj(x)))


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


class GLA(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embeddings = nn.Embedding(config.vocab_size, config.n_embd)
        self.layers = nn.ModuleList([Block(config) for _ in range(config.n_layer)])
        self.norm = RMSNorm(config.n_embd)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, idx, targets=None):
        x = self.embeddings(idx)
        for layer in self.layers:
            x = layer(x)
        logits = self.lm_head(self.norm(x))
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))

    def configure_optimizers(self, weight_decay=0.01, learning_rate=3e-4, betas=(0.9, 0.95), device_type="cpu"):
        """AdamW with the paper's learning rate of 3e-4 and weight decay of 0.01.

        Which parameters decay is not published: matrices and embeddings here, norms and biases not.
        """
        groups = [
            {"params": [p for p in self.parameters() if p.dim() >= 2], "weight_decay": weight_decay},
            {"params": [p for p in self.parameters() if p.dim() < 2], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=learning_rate, betas=betas)
