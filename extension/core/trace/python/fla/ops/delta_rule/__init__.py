"""The delta rule. q, k [B, T, H, K], v [B, T, H, V], beta [B, T, H]."""

from .._shared import delta


def chunk_delta_rule(q, k, v, beta, scale=None, initial_state=None, output_final_state=False,
                     use_qk_l2norm_in_kernel=False, **options):  # fmt: skip
    return delta("chunk_delta_rule", q, k, v, beta, None, scale, initial_state, output_final_state,
                 use_qk_l2norm_in_kernel, **options)  # fmt: skip


def fused_recurrent_delta_rule(q, k, v, beta=None, scale=None, initial_state=None, output_final_state=False,
                               use_qk_l2norm_in_kernel=False, **options):  # fmt: skip
    beta = q[..., 0].new_ones(q.shape[:-1]) if beta is None else beta
    return delta("fused_recurrent_delta_rule", q, k, v, beta, None, scale, initial_state, output_final_state,
                 use_qk_l2norm_in_kernel, **options)  # fmt: skip
