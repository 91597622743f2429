"""Reductions, scans, sorting, softmax."""

import math
from collections import namedtuple

from crossover_tracer import recorder as R
from crossover_tracer.errors import ShapeError, Unsupported

from . import _ops as O
from . import _types as T
from ._pointwise import cast_value, result
from ._tensor import Tensor, check_dim, check_dims, fresh
from ._types import Size

_Max = namedtuple("max", ("values", "indices"))
_Min = namedtuple("min", ("values", "indices"))
_Median = namedtuple("median", ("values", "indices"))
_Topk = namedtuple("topk", ("values", "indices"))
_Sort = namedtuple("sort", ("values", "indices"))
_VarMean = namedtuple("var_mean", ("var", "mean"))


def reduced_shape(shape, dims, keepdim):
    if keepdim:
        return Size(1 if dim in dims else size for dim, size in enumerate(shape))
    return Size(size for dim, size in enumerate(shape) if dim not in dims)


def _reduce(op, input, dim, keepdim, kind):
    dims = check_dims(dim, len(input.shape))
    shape = reduced_shape(input.shape, dims, keepdim)
    if kind.category == 3:
        from ._complex import cast, mapped

        if op not in ("sum", "mean"):
            raise Unsupported(f"{op} of complex tensors is not traced; write it with real and imaginary parts")
        input = cast(input, kind)
        return mapped(lambda part: _reduce(op, part, dims, keepdim, kind.to_real()), input)
    value = cast_value(input, kind)
    if input.shape:
        value = R.current.emit(op, (value,), ("dims", dims, "keepdim", bool(keepdim)), T.code_of(kind), tuple(shape))
    return result(value, kind, shape, (input,))


def sum(input, dim=None, keepdim=False, *, dtype=None, out=None):
    kind = T.as_dtype(dtype) if dtype is not None else input.dtype if input.dtype.category >= 2 else T.int64
    return _reduce("sum", input, dim, keepdim, kind)


def nansum(input, dim=None, keepdim=False):
    return sum(O.where(O.isnan(input), 0.0, input), dim, keepdim)


def mean(input, dim=None, keepdim=False, *, dtype=None, out=None):
    kind = input.dtype if dtype is None else T.as_dtype(dtype)
    if kind.category < 2:
        raise RuntimeError(
            f"mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. "
            f"Got: {kind.name.replace('int64', 'Long').replace('bool', 'Bool')}"
        )
    return _reduce("mean", input, dim, keepdim, kind)


def prod(input, dim=None, keepdim=False, *, dtype=None):
    kind = T.as_dtype(dtype) if dtype is not None else input.dtype if input.dtype.category >= 2 else T.int64
    return _reduce("prod", input, dim, keepdim, kind)


def amax(input, dim=(), keepdim=False):
    return _reduce("amax", input, dim, keepdim, input.dtype)


def amin(input, dim=(), keepdim=False):
    return _reduce("amin", input, dim, keepdim, input.dtype)


def _extreme(input, dim, keepdim, op, arg, pair):
    if isinstance(dim, Tensor):
        return (O.maximum if op == "amax" else O.minimum)(input, dim)
    if dim is None:
        return _reduce(op, input, None, False, input.dtype)
    dim = check_dim(dim, len(input.shape))
    return pair(_reduce(op, input, dim, keepdim, input.dtype), _arg(arg, input, dim, keepdim))


def max(input, dim=None, keepdim=False, *, other=None):
    return _extreme(input, dim if other is None else other, keepdim, "amax", "argmax", _Max)


def min(input, dim=None, keepdim=False, *, other=None):
    return _extreme(input, dim if other is None else other, keepdim, "amin", "argmin", _Min)


def aminmax(input, *, dim=None, keepdim=False):
    dims = () if dim is None else dim
    return amin(input, dims, keepdim), amax(input, dims, keepdim)


def _arg(op, input, dim, keepdim):
    if dim is None:
        input, dim, keepdim = input.reshape(-1), 0, False
    dim = check_dim(dim, len(input.shape))
    shape = reduced_shape(input.shape, (dim,), keepdim)
    value = R.current.emit(op, (input._v(),), ("dim", dim, "keepdim", bool(keepdim)), "i64", tuple(shape))
    return result(value, T.int64, shape, (input,))


def argmax(input, dim=None, keepdim=False):
    return _arg("argmax", input, dim, keepdim)


def argmin(input, dim=None, keepdim=False):
    return _arg("argmin", input, dim, keepdim)


def any(input, dim=None, keepdim=False):
    return _quantified("amax", input, dim, keepdim)


def all(input, dim=None, keepdim=False):
    return _quantified("amin", input, dim, keepdim)


def _quantified(op, input, dim, keepdim):
    truth = input if input.dtype.category == 0 else O.ne(input, 0)
    return _reduce(op, truth.to(T.int64), dim, keepdim, T.int64).to(T.bool_)


def count_nonzero(input, dim=None):
    return sum(O.ne(input, 0), dim)


def var(input, dim=None, unbiased=True, keepdim=False, *, correction=None):
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    correction = (1 if unbiased else 0) if correction is None else correction
    dims = check_dims(dim, len(input.shape))
    count = math.prod(input.shape[d] for d in dims)
    centered = O.sub(input, mean(input, dims, True))
    squares = O.square(O.abs(centered) if input.dtype.category == 3 else centered)
    return O.div(sum(squares, dims, keepdim), builtin_max(count - correction, 0))


def builtin_max(a, b):
    return a if a > b else b


def std(input, dim=None, unbiased=True, keepdim=False, *, correction=None):
    return O.sqrt(var(input, dim, unbiased, keepdim, correction=correction))


def var_mean(input, dim=None, unbiased=True, keepdim=False, *, correction=None):
    return _VarMean(var(input, dim, unbiased, keepdim, correction=correction), mean(input, dim, keepdim))


def std_mean(input, dim=None, unbiased=True, keepdim=False, *, correction=None):
    return std(input, dim, unbiased, keepdim, correction=correction), mean(input, dim, keepdim)


def norm(input, p="fro", dim=None, keepdim=False, dtype=None):
    input = input if dtype is None else input.to(dtype)
    if input.dtype.category == 3:
        input = O.abs(input)
    if p in ("fro", None, 2, 2.0):
        return O.sqrt(sum(O.square(input), dim, keepdim))
    if p in (1, 1.0):
        return sum(O.abs(input), dim, keepdim)
    if p == math.inf:
        return amax(O.abs(input), () if dim is None else dim, keepdim)
    if p == -math.inf:
        return amin(O.abs(input), () if dim is None else dim, keepdim)
    if not isinstance(p, (int, float)):
        raise Unsupported(f"torch.norm with p={p!r} is not traced; use a number")
    return O.pow(sum(O.pow(O.abs(input), p), dim, keepdim), 1.0 / p)


def logsumexp(input, dim, keepdim=False):
    dims = check_dims(dim, len(input.shape))
    high = amax(input, dims, True).detach()
    total = O.log(sum(O.exp(O.sub(input, high)), dims, keepdim))
    return O.add(total, high if keepdim else high.reshape(total.shape))


def cumsum(input, dim, *, dtype=None, out=None):
    return _scan("cumsum", input, dim, dtype)


def cumprod(input, dim, *, dtype=None, out=None):
    return _scan("cumprod", input, dim, dtype)


def logcumsumexp(input, dim):
    """log of the sums of exponentials so far, by doubling: what stands 1, 2, 4, ... places before is added in turn."""
    from ._join import cat
    from ._ops import logaddexp
    from ._shape import narrow

    dim = check_dim(dim, len(input.shape))
    count = input.shape[dim] if input.shape else 1
    step = 1
    while step < count:
        sums = logaddexp(narrow(input, dim, step, count - step), narrow(input, dim, 0, count - step))
        input = cat((narrow(input, dim, 0, step), sums), dim)
        step *= 2
    return input


def _scan(op, input, dim, dtype):
    kind = T.as_dtype(dtype) if dtype is not None else input.dtype if input.dtype.category >= 2 else T.int64
    dim = check_dim(dim, len(input.shape))
    if kind.category == 3 and op == "cumsum":
        from ._complex import cast, mapped

        return mapped(cumsum, cast(input, kind), dim)
    value = cast_value(input, kind)
    if input.shape:
        value = R.current.emit(op, (value,), ("dim", dim), T.code_of(kind), tuple(input.shape))
    return result(value, kind, input.shape, (input,))


def diff(input, n=1, dim=-1, prepend=None, append=None):
    if prepend is not None or append is not None:
        from ._join import cat

        input = cat([part for part in (prepend, input, append) if part is not None], dim)
    for _ in range(n):
        size = input.shape[check_dim(dim, len(input.shape))]
        input = O.sub(input.narrow(dim, 1, size - 1), input.narrow(dim, 0, size - 1))
    return input


def _pair(op, input, dim, attrs, shape, kind):
    types = [(T.code_of(input.dtype), tuple(shape)), ("i64", tuple(shape))]
    values, indices = R.current.emit_many(op, (input._v(),), attrs, types)
    found = result(values, input.dtype, Size(shape), (input,))
    return kind(found, fresh(indices, T.int64, Size(shape), input.device))


def topk(input, k, dim=-1, largest=True, sorted=True):
    dim = check_dim(dim, len(input.shape))
    if k > input.shape[dim]:
        raise ShapeError("selected index k out of range")
    shape = (*input.shape[:dim], k, *input.shape[dim + 1 :])
    return _pair("topk", input, dim, ("k", k, "dim", dim, "largest", bool(largest)), shape, _Topk)


def sort(input, dim=-1, descending=False, stable=False):
    dim = check_dim(dim, len(input.shape))
    return _pair("sort", input, dim, ("dim", dim, "descending", bool(descending)), input.shape, _Sort)


def argsort(input, dim=-1, descending=False, stable=False):
    return sort(input, dim, descending).indices


def median(input, dim=None, keepdim=False):
    """The lower of the two middle elements, as PyTorch's median."""
    if dim is None:
        return sort(input.reshape(-1)).values[(input.numel() - 1) // 2]
    middle = (input.shape[dim] - 1) // 2
    values, indices = sort(input, dim)
    values, indices = values.narrow(dim, middle, 1), indices.narrow(dim, middle, 1)
    return _Median(values if keepdim else values.squeeze(dim), indices if keepdim else indices.squeeze(dim))


def softmax(input, dim=None, dtype=None, **_):
    return _softmax("softmax", input, dim, dtype)


def log_softmax(input, dim=None, dtype=None, **_):
    return _softmax("log_softmax", input, dim, dtype)


def _softmax(op, input, dim, dtype):
    kind = input.dtype if dtype is None else T.as_dtype(dtype)
    if kind.category < 2:
        raise RuntimeError(f'"softmax_lastdim_kernel_impl" not implemented for \'{kind.name}\'')
    if dim is None:
        dim = 0 if len(input.shape) in (0, 1, 3) else 1
    dim = check_dim(dim, len(input.shape))
    value = R.current.emit(op, (cast_value(input, kind),), ("dim", dim), T.code_of(kind), tuple(input.shape))
    return result(value, kind, input.shape, (input,))
