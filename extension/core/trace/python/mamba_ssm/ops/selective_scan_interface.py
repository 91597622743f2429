"""Mamba's selective scan with what stands around it.

u, delta, z [batch, channels, time], A [channels, states], D [channels]; B and C [batch, states, time], or
[batch, groups, states, time] where consecutive channels share those of their group.
"""

import torch
from causal_conv1d import causal_conv1d_fn
from crossover_tracer.errors import Unsupported
from torch import _scans
from torch.nn import functional as F


def scan(u, delta, A, B, C, D=None, z=None, delta_bias=None, delta_softplus=False):
    """y, y silu(z) and the state after the last token [batch, channels, states]."""
    if A.is_complex() or B.dim() < 3 or C.dim() < 3:
        raise Unsupported("selective_scan_fn takes a real A, and B and C of every token; other kinds are not traced")
    x, steps = (part.float().transpose(1, 2) for part in (u, delta))
    if delta_bias is not None:
        steps = steps + delta_bias.float()
    if delta_softplus:
        steps = F.softplus(steps)
    B, C = (part.float().unsqueeze(1) if part.dim() == 3 else part.float() for part in (B, C))
    groups = max(B.shape[1], C.shape[1])
    ys, states = [], []
    channels = zip(x.chunk(groups, -1), steps.chunk(groups, -1), A.float().chunk(groups, 0))
    for group, (xg, dt, a) in enumerate(channels):
        enters, reads = (part[:, group if part.shape[1] > 1 else 0].transpose(1, 2) for part in (B, C))
        y, state = _scans.selective_scan(xg, dt, a, enters, reads)
        ys.append(y)
        states.append(state)
    y, last = (ys[0], states[0]) if groups == 1 else (torch.cat(ys, -1), torch.cat(states, 1))
    y = (y if D is None else y + x * D.float()).transpose(1, 2)
    gated = y if z is None else y * F.silu(z.float())
    return y.to(u.dtype), gated.to(u.dtype), last


def selective_scan_fn(u, delta, A, B, C, D=None, z=None, delta_bias=None, delta_softplus=False, return_last_state=False):
    _, out, last = scan(u, delta, A, B, C, D, z, delta_bias, delta_softplus)
    return (out, last) if return_last_state else out


selective_scan_ref = selective_scan_fn


def mamba_inner_fn(xz, conv1d_weight, conv1d_bias, x_proj_weight, delta_proj_weight, out_proj_weight, out_proj_bias, A,
                   B=None, C=None, D=None, delta_bias=None, B_proj_bias=None, C_proj_bias=None, delta_softplus=True,
                   checkpoint_lvl=1, b_rms_weight=None, c_rms_weight=None, dt_rms_weight=None, b_c_dt_rms_eps=1e-6):  # fmt: skip
    """Mamba's mixer after in_proj: xz [batch, 2 channels, time] to [batch, time, width]."""
    states, rank = A.shape[-1], delta_proj_weight.shape[1]
    x, z = xz.chunk(2, dim=1)
    x = causal_conv1d_fn(x, conv1d_weight.squeeze(1), conv1d_bias, activation="silu")
    parts = F.linear(x.transpose(1, 2), x_proj_weight)
    delta = F.linear(parts[..., :rank], delta_proj_weight)
    if dt_rms_weight is not None:
        delta = F.rms_norm(delta, dt_rms_weight.shape, dt_rms_weight, b_c_dt_rms_eps)

    def projected(given, part, bias, weight):
        if given is not None:
            return given
        part = part if bias is None else part + bias
        return (part if weight is None else F.rms_norm(part, weight.shape, weight, b_c_dt_rms_eps)).transpose(1, 2)

    B = projected(B, parts[..., rank : rank + states], B_proj_bias, b_rms_weight)
    C = projected(C, parts[..., parts.shape[-1] - states :], C_proj_bias, c_rms_weight)
    y = selective_scan_fn(x, delta.transpose(1, 2), A, B, C, D, z, delta_bias, delta_softplus)
    return F.linear(y.transpose(1, 2), out_proj_weight, out_proj_bias)
