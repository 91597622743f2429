"""Linear attention, which forgets nothing. q, k [B, T, H, K], v [B, T, H, V]."""

from crossover_tracer.errors import Unsupported

from .._shared import decayed, ordered, restored, scale_of


def _call(name, q, k, v, scale, initial_state, output_final_state, normalize, head_first=False, reverse=False, **options):
    """`normalize` divides by q times the sum of all keys so far, which then belongs to the state, [B, 1, H, K]."""
    if reverse and normalize:
        raise Unsupported(f"fla's {name} in reverse is traced without normalize only; pass normalize=False")
    q, k, v = ordered((q, k, v), head_first, reverse)
    keys = None
    if normalize and isinstance(initial_state, tuple):
        initial_state, keys = initial_state
    y, state = decayed(name, q, k, v, None, scale, initial_state, output_final_state, **options)
    if normalize:
        total = k.cumsum(1) if keys is None else k.cumsum(1) + keys
        y = y / ((q * scale_of(scale, k) * total).sum(-1, keepdim=True) + 1e-10)
        state = (state, total[:, -1:]) if output_final_state else None
    return restored(y, head_first, reverse), state


def chunk_linear_attn(q, k, v, scale=None, initial_state=None, output_final_state=False, normalize=True, **options):
    return _call("chunk_linear_attn", q, k, v, scale, initial_state, output_final_state, normalize, **options)


def fused_chunk_linear_attn(q, k, v, scale=None, initial_state=None, output_final_state=False, normalize=True, **options):
    return _call("fused_chunk_linear_attn", q, k, v, scale, initial_state, output_final_state, normalize, **options)


def fused_recurrent_linear_attn(q, k, v, scale=None, initial_state=None, output_final_state=False, reverse=False,
                                normalize=False, **options):  # fmt: skip
    return _call("fused_recurrent_linear_attn", q, k, v, scale, initial_state, output_final_state, normalize,
                 reverse=reverse, **options)  # fmt: skip
