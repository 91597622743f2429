"""Mamba-2's norm with a gate."""

import torch
from torch import nn
from torch.nn import functional as F


def rmsnorm_fn(x, weight, bias=None, z=None, eps=1e-6, group_size=None, norm_before_gate=True, upcast=True):
    """norm(x) silu(z), or norm(x silu(z)); each group of channels is normed alone."""
    if z is not None and not norm_before_gate:
        x = x * F.silu(z)
    size = group_size or x.shape[-1]
    y = F.rms_norm(x.unflatten(-1, (-1, size)), (size,), eps=eps).flatten(-2) * weight
    if bias is not None:
        y = y + bias
    return y * F.silu(z) if z is not None and norm_before_gate else y


class RMSNorm(nn.Module):
    def __init__(self, hidden_size, eps=1e-5, group_size=None, norm_before_gate=True, device=None, dtype=None):
        super().__init__()
        self.eps, self.group_size, self.norm_before_gate = eps, group_size, norm_before_gate
        self.weight = nn.Parameter(torch.ones(hidden_size, device=device, dtype=dtype))
        self.register_parameter("bias", None)

    def forward(self, x, z=None):
        return rmsnorm_fn(x, self.weight, None, z, self.eps, self.group_size, self.norm_before_gate)
