"""RWKV-6 recurrences. r, k, v, w [B, T, H, N]; w is the log decay; u [H, N]; states are [key, value]."""

from torch import _rwkv

from .._shared import ordered, plain, restored, scale_of


def fused_recurrent_rwkv6(r, k, v, w, u, scale=None, initial_state=None, output_final_state=False, reverse=False,
                          cu_seqlens=None, head_first=False, **options):  # fmt: skip
    plain("rwkv6", cu_seqlens, **options)
    r, k, v, w = ordered((r, k, v, w), head_first, reverse)
    y, state = _rwkv.wkv6(r * scale_of(scale, k), k, v, w, u, initial_state)
    return restored(y, head_first, reverse), (state if output_final_state else None)


def chunk_rwkv6(r, k, v, w, u, scale=None, initial_state=None, output_final_state=False, cu_seqlens=None, **options):
    return fused_recurrent_rwkv6(r, k, v, w, u, scale, initial_state, output_final_state, False, cu_seqlens, **options)
