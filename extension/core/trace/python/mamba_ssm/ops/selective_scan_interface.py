"""Mamba's selective scan. u, delta, z [B, D, L], A [D, N], B and C [D, N], [B, N, L] or [B, G, N, L]."""

import torch
from causal_conv1d import causal_conv1d_fn
from crossover_tracer.errors import Unsupported
from torch import _scans
from torch.nn import functional as F


def _rows(x, groups, batch, time):
    """B or C as one [batch, time, N] for each group."""
    if x.dim() == 2:
        raise Unsupported("selective_scan_fn with B or C that do not depend on the token is not traced; expand them over time")
    if x.dim() == 3:
        x = x.unsqueeze(1)
    return [x[:, group % x.shape[1]].transpose(1, 2) for group in range(groups)]


def selective_scan_fn(u, delta, A, B, C, D=None, z=None, delta_bias=None, delta_softplus=False, return_last_state=False):
    """y [B, D, L], and with `return_last_state` the state [B, D, N]."""
    kind, (batch, channels, time) = u.dtype, u.shape
    u, delta = u.float(), delta.float()
    if delta_bias is not None:
        delta = delta + delta_bias.float().unsqueeze(-1)
    if delta_softplus:
        delta = F.softplus(delta)
    groups = max(x.shape[1] if x.dim() == 4 else 1 for x in (B, C))
    size = channels // groups
    parts, states = [], []
    for group, (b, c) in enumerate(zip(_rows(B.float(), groups, batch, time), _rows(C.float(), groups, batch, time))):
        own = slice(group * size, (group + 1) * size)
        y, state = _scans.selective_scan(u[:, own].transpose(1, 2), delta[:, own].transpose(1, 2), A[own].float(), b, c)
        parts.append(y.transpose(1, 2))
        states.append(state)
    y = parts[0] if groups == 1 else torch.cat(parts, dim=1)
    if D is not None:
        y = y + u * D.float().unsqueeze(-1)
    if z is not None:
        y = y * F.silu(z.float())
    y = y.to(kind)
    if not return_last_state:
        return y
    return y, states[0] if groups == 1 else torch.cat(states, dim=1)


selective_scan_ref = selective_scan_fn


def mamba_inner_fn(xz, conv1d_weight, conv1d_bias, x_proj_weight, delta_proj_weight, out_proj_weight, out_proj_bias, A,
                   B=None, C=None, D=None, delta_bias=None, B_proj_bias=None, C_proj_bias=None, delta_softplus=True,
                   checkpoint_lvl=1):  # fmt: skip
    """All of Mamba's mixer after its first projection: xz [B, 2 D, L], y [B, L, width]; B and C come from x_proj."""
    if B is not None or C is not None or B_proj_bias is not None or C_proj_bias is not None:
        raise Unsupported("mamba_inner_fn with B, C or biases of theirs is not traced; call selective_scan_fn")
    x, z = xz.chunk(2, dim=1)
    x = causal_conv1d_fn(x, conv1d_weight.squeeze(1), conv1d_bias, activation="silu")
    rank, size = delta_proj_weight.shape[1], A.shape[-1]
    rows = F.linear(x.transpose(1, 2), x_proj_weight)
    delta, B, C = torch.split(rows, [rank, size, size], dim=-1)
    delta = F.linear(delta, delta_proj_weight).transpose(1, 2)
    y = selective_scan_fn(x, delta, A, B.transpose(1, 2), C.transpose(1, 2), D, z, delta_bias, delta_softplus)
    return F.linear(y.transpose(1, 2), out_proj_weight, out_proj_bias)
