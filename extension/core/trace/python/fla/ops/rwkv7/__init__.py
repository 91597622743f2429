"""RWKV-7 recurrences. All tensors [B, T, H, N]; w is the log decay; the state fla keeps is [key, value]."""

from torch import _rwkv

from .._shared import ordered, plain, restored


def chunk_rwkv7(r, w, k, v, a, b, scale=1.0, initial_state=None, output_final_state=False, cu_seqlens=None, reverse=False,
                head_first=False, **options):  # fmt: skip
    plain("rwkv7", cu_seqlens, **options)
    r, w, k, v, a, b = ordered((r, w, k, v, a, b), head_first, reverse)
    r = r if scale == 1 else r * (r.shape[-1] ** -0.5 if scale is None else scale)
    state = None if initial_state is None else initial_state.transpose(-1, -2)
    y, state = _rwkv.wkv7(r, w, k, v, a, b, state)
    return restored(y, head_first, reverse), (state.transpose(-1, -2) if output_final_state else None)


def fused_recurrent_rwkv7(r, w, k, v, a, b, scale=None, initial_state=None, output_final_state=True, cu_seqlens=None,
                          **options):  # fmt: skip
    """Its scale is N^-0.5 where none is given, unlike chunk_rwkv7's."""
    return chunk_rwkv7(r, w, k, v, a, b, scale, initial_state, output_final_state, cu_seqlens, **options)


def fused_mul_recurrent_rwkv7(r, w, k, v, kk, a, scale=1.0, initial_state=None, output_final_state=False, reverse=False,
                              cu_seqlens=None, **options):  # fmt: skip
    """a = -kk and b = kk a of the others."""
    return chunk_rwkv7(r, w, k, v, -kk, kk * a, scale, initial_state, output_final_state, cu_seqlens, reverse, **options)
