"""RWKV-7 recurrences. All tensors [B, T, H, N]; w is the log decay; the state fla keeps is [key, value]."""

from crossover_tracer.errors import Unsupported
from torch import _rwkv


def chunk_rwkv7(r, w, k, v, a, b, scale=1.0, initial_state=None, output_final_state=True, cu_seqlens=None,
                head_first=False, safe_gate=False, chunk_size=None):  # fmt: skip
    if cu_seqlens is not None:
        raise Unsupported("fla's rwkv7 with cu_seqlens is not traced; use equal lengths")
    if head_first:
        r, w, k, v, a, b = (x.transpose(1, 2) for x in (r, w, k, v, a, b))
    r = r if scale == 1 else r * (r.shape[-1] ** -0.5 if scale is None else scale)
    state = None if initial_state is None else initial_state.transpose(-1, -2)
    y, state = _rwkv.wkv7(r, w, k, v, a, b, state)
    return (y.transpose(1, 2) if head_first else y), (state.transpose(-1, -2) if output_final_state else None)


fused_recurrent_rwkv7 = chunk_rwkv7


def fused_mul_recurrent_rwkv7(r, w, k, v, kk, a, scale=1.0, initial_state=None, output_final_state=True, **kwargs):
    return chunk_rwkv7(r, w, k, v, -kk, kk * a, scale, initial_state, output_final_state, **kwargs)
