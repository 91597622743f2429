"""Gated linear attention as a native operation."""

from crossover_tracer.errors import ShapeError

from ._scans import emit


def gla(q, k, v, logw, state=None, scale=1.0):
    """y, state of VOCABULARY.md's `gla`; q, k [B, T, G, N], v [B, T, H, P], logw [B, T, H, N or 1]."""
    for name, tensor in (("q", q), ("k", k), ("v", v), ("logw", logw)):
        if tensor.dim() != 4:
            raise ShapeError(f"gla takes {name} of shape [batch, time, heads, size], not {list(tensor.shape)}")
    batch, time, groups, size = q.shape
    heads, values = v.shape[2:]
    if k.shape != q.shape or v.shape[:2] != q.shape[:2] or heads % groups:
        raise ShapeError(f"gla's q, k and v of shapes {list(q.shape)}, {list(k.shape)} and {list(v.shape)} do not fit together")
    if tuple(logw.shape) not in ((batch, time, heads, size), (batch, time, heads, 1)):
        raise ShapeError(f"gla's logw is {list(logw.shape)}, not [{batch}, {time}, {heads}, {size} or 1]")
    kind = v.dtype
    tensors = [tensor.to(kind) for tensor in (q, k, v, logw)]
    last = (batch, heads, size, values)
    if state is not None:
        tensors.append(state.to(kind).reshape(last))
    return emit("gla", tensors, (v.shape, last), ("scale", float(scale)))
