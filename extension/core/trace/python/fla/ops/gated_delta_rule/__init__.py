"""The gated delta rule. q, k [B, T, H, K], v [B, T, HV, V], log decays g and beta [B, T, HV]; H divides HV."""

import torch
from torch.nn import functional as F

from .._shared import delta


def _call(name, q, k, v, g, beta, *rest, gk=None, use_gate_in_kernel=False, A_log=None, dt_bias=None,
          use_beta_sigmoid_in_kernel=False, allow_neg_eigval=False, **options):  # fmt: skip
    """`g` may be what a gate is computed from, and `beta` what its sigmoid is taken of; gk are decays per key channel."""
    if beta is None:
        beta = v.new_ones(v.shape[:3])
    if use_gate_in_kernel:
        g = g.float() if dt_bias is None else g.float() + dt_bias
        g = -A_log.float().exp() * F.softplus(g)
    if use_beta_sigmoid_in_kernel:
        beta = torch.sigmoid(beta) * (2.0 if allow_neg_eigval else 1.0)
    logw = None if g is None else g.unsqueeze(-1)
    if gk is not None:
        logw = gk if logw is None else logw + gk
    return delta(name, q, k, v, beta, logw, *rest, **options)


def chunk_gated_delta_rule(q, k, v, g, beta, scale=None, initial_state=None, output_final_state=False,
                           use_qk_l2norm_in_kernel=False, **options):  # fmt: skip
    return _call("chunk_gated_delta_rule", q, k, v, g, beta, scale, initial_state, output_final_state,
                 use_qk_l2norm_in_kernel, **options)  # fmt: skip


def fused_recurrent_gated_delta_rule(q, k, v, g=None, gk=None, gv=None, beta=None, scale=None, initial_state=None,
                                     output_final_state=False, use_qk_l2norm_in_kernel=False, **options):  # fmt: skip
    return _call("fused_recurrent_gated_delta_rule", q, k, v, g, beta, scale, initial_state, output_final_state,
                 use_qk_l2norm_in_kernel, gk=gk, gv=gv, **options)  # fmt: skip


chunk_gdn, fused_recurrent_gdn = chunk_gated_delta_rule, fused_recurrent_gated_delta_rule
