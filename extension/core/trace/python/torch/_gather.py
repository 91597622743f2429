"""Gathers and scatters by name: `index` counts along one dimension."""

from crossover_tracer import recorder as R
from crossover_tracer.errors import ShapeError, ShapeIndexError

from . import _types as T
from ._complex import complex, mapped, parts
from ._pointwise import assign, broadcast, result
from ._tensor import Tensor, check_dim
from ._types import Size
from ._views import expand, reshape, sliced


def index_select(input, dim, index):
    dim = check_dim(dim, len(input.shape))
    if len(index.shape) > 1:
        raise ShapeIndexError("index_select(): Index is supposed to be a vector")
    index = reshape(index, -1)
    if input.dtype.category == 3:
        return mapped(index_select, input, dim, index)
    shape = Size((*input.shape[:dim], index.shape[0], *input.shape[dim + 1 :]))
    value = R.current.emit("index_select", (input._v(), index._v()), ("dim", dim), T.code_of(input.dtype), tuple(shape))
    return result(value, input.dtype, shape, (input, index))


def gather(input, dim, index, *, sparse_grad=False):
    dim = check_dim(dim, len(input.shape))
    if len(index.shape) != len(input.shape):
        raise ShapeError("Index tensor must have the same number of dimensions as input tensor")
    for axis, (a, b) in enumerate(zip(index.shape, input.shape)):
        if axis != dim and a > b:
            raise ShapeError(
                f"Size does not match at dimension {axis} expected index {list(index.shape)} to be no larger than self "
                f"{list(input.shape)} apart from dimension {dim}"
            )
    if input.dtype.category == 3:
        return mapped(gather, input, dim, index)
    sizes = [size if axis == dim else index.shape[axis] for axis, size in enumerate(input.shape)]
    base = sliced(input, [0] * len(sizes), [1] * len(sizes), sizes)
    value = R.current.emit("gather", (base._v(), index._v()), ("dim", dim), T.code_of(input.dtype), tuple(index.shape))
    return result(value, input.dtype, index.shape, (input, index))


def take_along_dim(input, indices, dim=None):
    if dim is None:
        return gather(reshape(input, -1), 0, reshape(indices, -1))
    dim = check_dim(dim, len(input.shape))
    shape = broadcast(
        Size(1 if axis == dim else size for axis, size in enumerate(input.shape)),
        Size(1 if axis == dim else size for axis, size in enumerate(indices.shape)),
    )
    wide = [indices.shape[dim] if axis == dim else size for axis, size in enumerate(shape)]
    base = [input.shape[dim] if axis == dim else size for axis, size in enumerate(shape)]
    return gather(expand(input, base), dim, expand(indices, wide))


def _scatter(op, input, dim, index, source):
    """New tensor: `input` with `source` put (or added) at `index`; index and source of one shape."""
    if index.shape != source.shape:
        source = sliced(source, [0] * len(index.shape), [1] * len(index.shape), index.shape)
    if input.dtype.category == 3:
        real, imag = (_scatter(op, a, dim, index, b) for a, b in zip(parts(input), parts(source)))
        return complex(real, imag)
    inputs = (input._v(), index._v(), source._v())
    value = R.current.emit(op, inputs, ("dim", dim), T.code_of(input.dtype), tuple(input.shape))
    return result(value, input.dtype, input.shape, (input, source))


def _source(input, index, src):
    if isinstance(src, Tensor):
        return src.to(input.dtype) if src.shape else expand(src.to(input.dtype), index.shape)
    kind = T.code_of(input.dtype)
    full = R.current.full(float(src) if input.dtype.category == 2 else src, kind, index.shape)
    return result(full, input.dtype, index.shape, ())


def scatter(input, dim, index, src=None, *, value=None, reduce=None):
    dim = check_dim(dim, len(input.shape))
    op = "scatter_add" if reduce == "add" else "scatter"
    if reduce not in (None, "add"):
        from crossover_tracer.errors import Unsupported

        raise Unsupported(f"scatter with reduce='{reduce}' is not traced; use 'add'")
    return _scatter(op, input, dim, index, _source(input, index, value if src is None else src))


def scatter_(input, dim, index, src=None, *, value=None, reduce=None):
    return assign(input, scatter(input, dim, index, src, value=value, reduce=reduce))


def scatter_add(input, dim, index, src):
    return _scatter("scatter_add", input, check_dim(dim, len(input.shape)), index, _source(input, index, src))


def scatter_add_(input, dim, index, src):
    return assign(input, scatter_add(input, dim, index, src))


def index_add(input, dim, index, source, *, alpha=1):
    dim = check_dim(dim, len(input.shape))
    wide = reshape(index, [-1 if axis == dim else 1 for axis in range(len(input.shape))])
    source = source if alpha == 1 else source * alpha
    return _scatter("scatter_add", input, dim, expand(wide, source.shape), source.to(input.dtype))


def index_add_(input, dim, index, source, *, alpha=1):
    return assign(input, index_add(input, dim, index, source, alpha=alpha))


def index_copy(input, dim, index, source):
    dim = check_dim(dim, len(input.shape))
    wide = reshape(index, [-1 if axis == dim else 1 for axis in range(len(input.shape))])
    return _scatter("scatter", input, dim, expand(wide, source.shape), source.to(input.dtype))


def index_copy_(input, dim, index, source):
    return assign(input, index_copy(input, dim, index, source))
