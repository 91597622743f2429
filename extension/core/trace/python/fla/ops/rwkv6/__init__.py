"""RWKV-6 recurrences. r, k, w [B, T, H, K], v [B, T, H, V]; w is the log decay; u [H, K]."""

from crossover_tracer.errors import Unsupported
from torch import _rwkv


def fused_recurrent_rwkv6(r, k, v, w, u, scale=None, initial_state=None, output_final_state=False, reverse=False,
                          cu_seqlens=None, head_first=False):  # fmt: skip
    if reverse or cu_seqlens is not None:
        raise Unsupported("fla's rwkv6 in reverse or with cu_seqlens is not traced; use equal lengths")
    if head_first:
        r, k, v, w = (x.transpose(1, 2) for x in (r, k, v, w))
    scale = r.shape[-1] ** -0.5 if scale is None else scale
    r = r if scale == 1 else r * scale
    y, state = _rwkv.wkv6(r, k, v, w, u, initial_state)
    return (y.transpose(1, 2) if head_first else y), (state if output_final_state else None)


chunk_rwkv6 = fused_recurrent_rwkv6
