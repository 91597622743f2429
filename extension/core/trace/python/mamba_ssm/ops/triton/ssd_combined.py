"""State-space duality, Mamba-2's scan. x, z [B, L, heads, P], dt [B, L, heads], A [heads], B and C [B, L, groups, N]."""

import torch
from causal_conv1d import causal_conv1d_fn
from crossover_tracer.errors import Unsupported
from torch import _gla
from torch.nn import functional as F

from .layernorm_gated import rmsnorm_fn


def mamba_chunk_scan_combined(x, dt, A, B, C, chunk_size, D=None, z=None, dt_bias=None, initial_states=None, seq_idx=None,
                              cu_seqlens=None, dt_softplus=False, dt_limit=(0.0, float("inf")), return_final_states=False,
                              return_varlen_states=False, state_dtype=None):  # fmt: skip
    """y [B, L, heads, P], and with `return_final_states` the states [B, heads, P, N]; D is [heads] or [heads, P]."""
    if seq_idx is not None or cu_seqlens is not None or return_varlen_states:
        raise Unsupported("mamba_chunk_scan_combined with seq_idx or cu_seqlens is not traced; use sequences of equal lengths")
    kind, dt = x.dtype, dt.float()
    if dt_bias is not None:
        dt = dt + dt_bias.float()
    if dt_softplus:
        dt = F.softplus(dt)
    if tuple(dt_limit) != (0.0, float("inf")):
        dt = dt.clamp(dt_limit[0], dt_limit[1])
    wide = x.float()
    state = None if initial_states is None else initial_states.float().transpose(-1, -2)
    y, state = _gla.gla(C.float(), B.float(), wide * dt.unsqueeze(-1), (dt * A.float()).unsqueeze(-1), state)
    if D is not None:
        y = y + wide * (D if D.dim() == 2 else D.unsqueeze(-1)).float()
    if z is not None:
        y = y * F.silu(z.float())
    y = y.to(kind)
    return (y, state.transpose(-1, -2)) if return_final_states else y


def mamba_split_conv1d_scan_combined(zxbcdt, conv1d_weight, conv1d_bias, dt_bias, A, D, chunk_size, initial_states=None,
                                     seq_idx=None, dt_limit=(0.0, float("inf")), return_final_states=False,
                                     activation="silu", rmsnorm_weight=None, rmsnorm_eps=1e-6, outproj_weight=None,
                                     outproj_bias=None, headdim=None, ngroups=1, norm_before_gate=True,
                                     state_dtype=None):  # fmt: skip
    """All of Mamba-2's mixer after its first projection: zxbcdt [B, L, 2 dim + 2 ngroups N + heads], y [B, L, dim]."""
    heads = A.shape[0]
    P = D.shape[1] if D.dim() == 2 else headdim
    dim = heads * P
    N = (zxbcdt.shape[-1] - 2 * dim - heads) // ngroups // 2
    batch, time, _ = zxbcdt.shape
    z, xbc, dt = torch.split(zxbcdt, [dim, dim + 2 * ngroups * N, heads], dim=-1)
    xbc = causal_conv1d_fn(xbc.transpose(1, 2), conv1d_weight, conv1d_bias, seq_idx, activation=activation).transpose(1, 2)
    x, B, C = torch.split(xbc, [dim, ngroups * N, ngroups * N], dim=-1)
    x, z = x.reshape(batch, time, heads, P), z.reshape(batch, time, heads, P)
    B, C = (rows.reshape(batch, time, ngroups, N) for rows in (B, C))
    y, state = mamba_chunk_scan_combined(
        x, dt, A, B, C, chunk_size, D, z if rmsnorm_weight is None else None, dt_bias, initial_states, seq_idx,
        dt_softplus=True, dt_limit=dt_limit, return_final_states=True,
    )  # fmt: skip
    y = y.reshape(batch, time, dim)
    if rmsnorm_weight is not None:
        y = rmsnorm_fn(y, rmsnorm_weight, None, z.reshape(batch, time, dim), rmsnorm_eps, dim // ngroups, norm_before_gate)
    if outproj_weight is not None:
        y = F.linear(y, outproj_weight, outproj_bias)
    return (y, state) if return_final_states else y
