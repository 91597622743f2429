"""Gated linear attention. q, k [B, T, H, K], v [B, T, H, V], log decays [B, T, H, K]."""

from .._shared import decayed


def chunk_gla(q, k, v, g, scale=None, initial_state=None, output_final_state=False, state_v_first=False, **options):
    return decayed("chunk_gla", q, k, v, g, scale, initial_state, output_final_state, state_v_first, **options)


def fused_chunk_gla(q, k, v, g, scale=None, initial_state=None, output_final_state=False, **options):
    return decayed("fused_chunk_gla", q, k, v, g, scale, initial_state, output_final_state, **options)


def fused_recurrent_gla(q, k, v, gk=None, gv=None, scale=None, initial_state=None, output_final_state=False,
                        reverse=False, state_v_first=False, **options):  # fmt: skip
    return decayed("fused_recurrent_gla", q, k, v, gk, scale, initial_state, output_final_state, state_v_first,
                   reverse=reverse, gv=gv, **options)  # fmt: skip
