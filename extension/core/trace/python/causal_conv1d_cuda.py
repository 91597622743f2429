"""The compiled extension of causal_conv1d, for copies of its source: the forward kernel, whose derivative is the compiler's own."""

from causal_conv1d import causal_conv1d_fn
from torch._rwkv import differentiable


@differentiable
def causal_conv1d_fwd(x, weight, bias, *rest):
    """x [B, D, T]; of `rest` (its length differs between versions) the last says whether silu follows."""
    if any(item is not None for item in rest[:-1]):
        raise NotImplementedError("sequence indexes and states of causal_conv1d_cuda are not traced")
    return causal_conv1d_fn(x, weight, bias, activation="silu" if rest[-1] else None)
