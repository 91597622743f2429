"""Retention: head h keeps 1 - 2^(-5-h) of its state per token. q, k [B, T, H, K], v [B, T, H, V]."""

import torch

from ..simple_gla import chunk_simple_gla


def chunk_retention(q, k, v, scale=None, initial_state=None, output_final_state=False, head_first=False, **options):
    heads = q.shape[1 if head_first else 2]
    decay = torch.log(1 - 2.0 ** (-5 - torch.arange(heads, dtype=torch.float32)))
    return chunk_simple_gla(q, k, v, g_gamma=decay, scale=scale, initial_state=initial_state,
                            output_final_state=output_final_state, head_first=head_first, **options)  # fmt: skip


def fused_recurrent_retention(q, k, v, scale=None, initial_state=None, output_final_state=False, reverse=False, **options):
    return chunk_retention(q, k, v, scale, initial_state, output_final_state, reverse=reverse, **options)


fused_chunk_retention = chunk_retention
