"""Recurrences whose state is a vector per channel, as native operations: wkv4, selective_scan and lstm."""

from crossover_tracer import recorder as R
from crossover_tracer.errors import ShapeError

from . import _types as T
from ._pointwise import result
from ._types import Size


def _check(op, **tensors):
    """Each argument: the tensor or None, and the shape it has to have."""
    for name, (tensor, shape) in tensors.items():
        if tensor is not None and tuple(tensor.shape) != shape:
            raise ShapeError(f"{op}'s {name} is {list(tensor.shape)} and should be {list(shape)}")


def _dimensions(op, name, tensor, count):
    if tensor.dim() != count:
        raise ShapeError(f"{op} takes {name} of {count} dimensions, not {list(tensor.shape)}")
    return tensor.shape


def emit(op, tensors, shapes, attrs=()):
    """Outputs of those shapes, of the kind that all of `tensors` have; `attrs` are keys and values in turn."""
    kind = tensors[0].dtype
    code = T.code_of(kind)
    types = [(code, tuple(shape)) for shape in shapes]
    values = R.current.emit_many(op, tuple(tensor._v() for tensor in tensors), attrs, types)
    return tuple(result(value, kind, Size(shape), tensors) for value, shape in zip(values, shapes))


def wkv4(logw, u, k, v, state=None):
    """y, state of VOCABULARY.md's `wkv4`; logw, u [C], k, v [B, T, C], state [B, 3, C]."""
    batch, time, channels = _dimensions("wkv4", "k", k, 3)
    last = (batch, 3, channels)
    _check("wkv4", logw=(logw, (channels,)), u=(u, (channels,)), v=(v, tuple(k.shape)), state=(state, last))
    given = [logw, u, k, v] if state is None else [logw, u, k, v, state]
    return emit("wkv4", [tensor.to(k.dtype) for tensor in given], ((batch, time, channels), last))


def selective_scan(x, dt, A, B, C, state=None):
    """y, state of VOCABULARY.md's `selective_scan`; x, dt [B, T, D], A [D, N], B, C [B, T, N], state [B, D, N]."""
    batch, time, channels = _dimensions("selective_scan", "x", x, 3)
    size = _dimensions("selective_scan", "A", A, 2)[1]
    narrow, last = (batch, time, size), (batch, channels, size)
    _check("selective_scan", dt=(dt, tuple(x.shape)), A=(A, (channels, size)), B=(B, narrow), C=(C, narrow),
           state=(state, last))  # fmt: skip
    given = [x, dt, A, B, C] if state is None else [x, dt, A, B, C, state]
    return emit("selective_scan", [tensor.to(x.dtype) for tensor in given], ((batch, time, channels), last))


def lstm(gates, weight, h0=None, c0=None):
    """y, c of VOCABULARY.md's `lstm`; gates [B, T, 4H], weight [4H, H], h0 and c0 [B, H], both or neither."""
    batch, time, rows = _dimensions("lstm", "gates", gates, 3)
    size = rows // 4
    first = (batch, size)
    _check("lstm", weight=(weight, (rows, size)), h0=(h0, first), c0=(c0, first))
    given = [gates, weight] if h0 is None else [gates, weight, h0, c0]
    return emit("lstm", [tensor.to(gates.dtype) for tensor in given], ((batch, time, size), first))
