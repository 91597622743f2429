"""Linear attention with one decay per head. q, k [B, T, H, K], v [B, T, H, V], log decays g [B, T, H] or g_gamma [H]."""

from crossover_tracer.errors import Unsupported

from .._shared import decayed


def per_head(v, g, g_gamma, head_first=False):
    """Log decays [B, T, H, 1], in the order of v's dimensions."""
    if g is not None and g_gamma is not None:
        raise Unsupported("fla's simple_gla takes g or g_gamma, not both")
    if g is not None:
        return g.unsqueeze(-1)
    if g_gamma is None:
        return None
    heads = (1, -1, 1, 1) if head_first else (1, 1, -1, 1)
    return g_gamma.view(heads).expand(*v.shape[:3], 1)


def _call(name, q, k, v, g, g_gamma, scale, initial_state, output_final_state, head_first=False, **options):
    return decayed(name, q, k, v, per_head(v, g, g_gamma, head_first), scale, initial_state, output_final_state,
                   head_first=head_first, **options)  # fmt: skip


def chunk_simple_gla(q, k, v, g=None, g_gamma=None, scale=None, initial_state=None, output_final_state=False,
                     state_v_first=False, **options):  # fmt: skip
    return _call("chunk_simple_gla", q, k, v, g, g_gamma, scale, initial_state, output_final_state,
                 state_v_first=state_v_first, **options)  # fmt: skip


def fused_chunk_simple_gla(q, k, v, g=None, g_gamma=None, scale=None, initial_state=None, output_final_state=False,
                           **options):  # fmt: skip
    return _call("fused_chunk_simple_gla", q, k, v, g, g_gamma, scale, initial_state, output_final_state, **options)


def fused_recurrent_simple_gla(q, k, v, g=None, g_gamma=None, scale=None, initial_state=None, output_final_state=False,
                               reverse=False, state_v_first=False, **options):  # fmt: skip
    return _call("fused_recurrent_simple_gla", q, k, v, g, g_gamma, scale, initial_state, output_final_state,
                 reverse=reverse, state_v_first=state_v_first, **options)  # fmt: skip
