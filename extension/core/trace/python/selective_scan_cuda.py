"""The compiled extension of mamba_ssm, for copies of its source: the forward kernel, whose derivative is the compiler's own."""

from mamba_ssm.ops.selective_scan_interface import scan
from torch import stack
from torch._rwkv import differentiable


@differentiable
def fwd(u, delta, A, B, C, D, z, delta_bias, delta_softplus):
    """[y, states, y silu(z) where there is a z]; states [B, D, 1, 2 N] hold the last one at odd places."""
    y, gated, last = scan(u, delta, A, B, C, D, z, delta_bias, delta_softplus)
    states = stack((last, last), -1).flatten(-2).unsqueeze(2)
    return [y, states] if z is None else [y, states, gated]
