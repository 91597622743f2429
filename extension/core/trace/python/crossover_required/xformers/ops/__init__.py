"""memory_efficient_attention with tensors [B, T, H, D], and SwiGLU."""

import torch
from crossover_tracer.errors import Unsupported
from crossover_tracer.shells import Shell
from torch import nn


class AttentionBias:
    """Base of masks."""


class LowerTriangularMask(AttentionBias):
    def __init__(self, *_args, **_kwargs):
        pass


def memory_efficient_attention(query, key, value, attn_bias=None, p=0.0, scale=None, op=None, output_dtype=None):
    """softmax(q k^T scale + bias) v: [B, T, H, D], or [B, T, D] with one head; bias as [B, H, T, S]."""
    causal = attn_bias is LowerTriangularMask or isinstance(attn_bias, LowerTriangularMask)
    if not causal and isinstance(attn_bias, (type, AttentionBias)):
        raise Unsupported("of xformers' masks LowerTriangularMask is traced; give any other as a tensor")
    one = query.dim() == 3
    heads = [(x.unsqueeze(2) if one else x).transpose(1, 2) for x in (query, key, value)]
    mask = None if causal else attn_bias
    if mask is not None and one and mask.dim() == 3:
        mask = mask.unsqueeze(1)
    y = nn.functional.scaled_dot_product_attention(*heads, attn_mask=mask, dropout_p=p, is_causal=causal, scale=scale)
    y = y.transpose(1, 2)
    return y.squeeze(2) if one else y


class SwiGLU(nn.Module):
    """w3(silu(w1 x) * w2 x), with w1 and w2 in one matrix unless `_pack_weights` says otherwise."""

    def __init__(self, in_features, hidden_features, out_features=None, bias=True, *, _pack_weights=True):
        super().__init__()
        out_features = out_features or in_features
        self.w12 = nn.Linear(in_features, 2 * hidden_features, bias=bias) if _pack_weights else None
        if not _pack_weights:
            self.w1 = nn.Linear(in_features, hidden_features, bias=bias)
            self.w2 = nn.Linear(in_features, hidden_features, bias=bias)
        self.w3 = nn.Linear(hidden_features, out_features, bias=bias)
        self.hidden_features, self.in_features, self.out_features = hidden_features, in_features, out_features

    def forward(self, x):
        gate, up = (self.w1(x), self.w2(x)) if self.w12 is None else self.w12(x).chunk(2, dim=-1)
        return self.w3(nn.functional.silu(gate) * up)


def unbind(x, dim):
    return torch.unbind(x, dim)


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Shell(f"xformers.ops.{name}")
