"""What flash-linear-attention's functions have in common. Sequences are [B, T, H, size], states [B, H, K, V]."""

import torch
from crossover_tracer.errors import ShapeError, Unsupported
from torch import _gla, _rwkv
from torch.nn import functional as F

# Choices of fla's kernels that change how something is computed, and not what.
KERNEL_CHOICES = {
    "BT", "chunk_indices", "chunk_size", "cu_seqlens_cpu", "disable_recompute", "lower_bound", "safe_gate", "use_exp2",
}  # fmt: skip


def plain(name, cu_seqlens=None, **options):
    """Refuses what the native operations cannot do; anything else in `options` has to be a choice of kernels."""
    if cu_seqlens is not None:
        raise Unsupported(f"fla's {name} with cu_seqlens is not traced; use sequences of equal lengths")
    for option, value in options.items():
        if option not in KERNEL_CHOICES and value is not None and value is not False:
            raise Unsupported(f"fla's {name} with {option}={value!r} is not traced; leave {option} out")


def ordered(sequences, head_first=False, reverse=False):
    """Sequences (or None) as [B, T, H, ..] in the order in which the state passes over them."""
    sequences = [x if x is None or not head_first else x.transpose(1, 2) for x in sequences]
    return [x if x is None or not reverse else x.flip(1) for x in sequences]


def restored(y, head_first=False, reverse=False):
    """What `ordered` did to sequences, undone for a result."""
    y = y.flip(1) if reverse else y
    return y.transpose(1, 2) if head_first else y


def scale_of(scale, k):
    """fla's default; early versions wrote -1 for it."""
    return k.shape[-1] ** -0.5 if scale is None or scale == -1 else scale


def decayed(name, q, k, v, logw, scale=None, initial_state=None, output_final_state=False, state_v_first=False,
            head_first=False, reverse=False, **options):  # fmt: skip
    """Linear attention whose state decays: per key channel by logw [B, T, H, K], per head by [B, T, H, 1], or never (None).

    In reverse the state starts after the last token and ends before the first.
    """
    plain(name, **options)
    q, k, v, logw = ordered((q, k, v, logw), head_first, reverse)
    if logw is None:
        logw = torch.zeros(*v.shape[:3], 1, dtype=torch.float32)
    state = initial_state
    if state is not None and state_v_first:
        state = state.transpose(-1, -2)
    y, state = _gla.gla(q, k, v, logw, state, scale_of(scale, k))
    if state_v_first:
        state = state.transpose(-1, -2)
    return restored(y, head_first, reverse), (state if output_final_state else None)


def delta(name, q, k, v, beta, logw=None, scale=None, initial_state=None, output_final_state=False,
          use_qk_l2norm_in_kernel=False, state_v_first=False, head_first=False, reverse=False, **options):  # fmt: skip
    """S <- diag(exp(logw)) S, then S <- S + beta k^T (v - k S), y = scale q S; logw [B, T, H, 1 or K] or None.

    It is RWKV-7's recurrence with a = exp(logw) k and b = -beta k.
    """
    plain(name, **options)
    q, k, v, beta, logw = ordered((q, k, v, beta, logw), head_first, reverse)
    if use_qk_l2norm_in_kernel:
        q, k = (x * torch.rsqrt(x.float().square().sum(-1, keepdim=True) + 1e-6).to(x.dtype) for x in (q, k))
    B, T, H, _ = v.shape
    K = k.shape[-1]
    if tuple(beta.shape) != (B, T, H):
        raise ShapeError(f"fla's {name} is traced with beta [batch, time, heads] = {[B, T, H]}, not {list(beta.shape)}")
    if k.shape[2] != H:
        q, k = (x.repeat_interleave(H // x.shape[2], dim=2) for x in (q, k))
    q = q * scale_of(scale, k)
    beta = beta.unsqueeze(-1)
    if logw is None:
        logw, a = torch.zeros_like(k), k
    else:
        logw = logw.expand(B, T, H, K)
        a = k * logw.exp()
    state = initial_state
    if state is not None and not state_v_first:
        state = state.transpose(-1, -2)
    y, state = _rwkv.wkv7(q, logw, k, v * beta, a, -beta * k, state)
    y = restored(y, head_first, reverse)
    if not output_final_state:
        return y, None
    return y, (state if state_v_first else state.transpose(-1, -2))
