"""Views made of the primitive ones, and splitting."""

import math

from crossover_tracer.errors import ShapeError, ShapeIndexError

from . import _types as T
from ._gather import index_select
from ._tensor import ALIAS, as_int, check_dim, check_dims, new_view, strides_of
from ._views import _with_strides, expand, infer_sizes, permute, reshape, sliced, view


def unsqueeze(input, dim):
    ndim = len(input.shape)
    if not -ndim - 1 <= dim <= ndim:
        raise ShapeIndexError(
            f"Dimension out of range (expected to be in range of [{-ndim - 1}, {ndim}], but got {dim})"
        )
    dim = dim + ndim + 1 if dim < 0 else dim
    strides = strides_of(input)
    step = input.shape[dim] * strides[dim] if dim < ndim else 1
    return _with_strides(
        input, (*input.shape[:dim], 1, *input.shape[dim:]), (*strides[:dim], step, *strides[dim:])
    )


def squeeze(input, dim=None):
    if dim is None:
        drop = set(range(len(input.shape)))
    else:
        drop = set(check_dims(dim if isinstance(dim, int) else tuple(dim), len(input.shape)))
    keep = [i for i, size in enumerate(input.shape) if not (i in drop and size == 1)]
    if len(keep) == len(input.shape):
        return new_view(input, ALIAS, input.shape, input._strides, input._offset)
    strides = strides_of(input)
    return _with_strides(input, tuple(input.shape[i] for i in keep), tuple(strides[i] for i in keep))


def transpose(input, dim0, dim1):
    ndim = len(input.shape)
    dim0, dim1 = check_dim(dim0, ndim), check_dim(dim1, ndim)
    if ndim == 0 or dim0 == dim1:
        return new_view(input, ALIAS, input.shape, input._strides, input._offset)
    dims = list(range(ndim))
    dims[dim0], dims[dim1] = dim1, dim0
    return permute(input, tuple(dims))


def t(input):
    if len(input.shape) > 2:
        raise ShapeError(f"t() expects a tensor with <= 2 dimensions, but self is {len(input.shape)}D")
    return transpose(input, 0, 1) if len(input.shape) == 2 else input


def movedim(input, source, destination):
    ndim = len(input.shape)
    source, destination = check_dims(source, ndim), check_dims(destination, ndim)
    rest = iter([dim for dim in range(ndim) if dim not in source])
    placed = dict(zip(destination, source))
    return permute(input, tuple(placed[dim] if dim in placed else next(rest) for dim in range(ndim)))


def narrow(input, dim, start, length):
    dim, start = check_dim(dim, len(input.shape)), as_int(start)
    size = input.shape[dim]
    start = start + size if start < 0 else start
    if start + length > size:
        raise ShapeError(f"start ({start}) + length ({length}) exceeds dimension size ({size}).")
    starts, sizes = [0] * len(input.shape), list(input.shape)
    starts[dim], sizes[dim] = start, length
    return sliced(input, starts, [1] * len(sizes), sizes)


def select(input, dim, index):
    if not input.shape:
        raise ShapeIndexError("select() cannot be applied to a 0-dim tensor.")
    dim, index = check_dim(dim, len(input.shape)), as_int(index)
    size = input.shape[dim]
    if not -size <= index < size:
        raise ShapeIndexError(f"index {index} is out of bounds for dimension {dim} with size {size}")
    index = index + size if index < 0 else index
    taken = narrow(input, dim, index, 1)
    strides = strides_of(taken)
    return _with_strides(taken, (*taken.shape[:dim], *taken.shape[dim + 1 :]), (*strides[:dim], *strides[dim + 1 :]))


def flatten(input, start_dim=0, end_dim=-1):
    ndim = len(input.shape)
    if ndim == 0:
        return reshape(input, 1)
    start, end = check_dim(start_dim, ndim), check_dim(end_dim, ndim)
    if start > end:
        raise ShapeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if start == end:
        return input
    shape = input.shape
    return reshape(input, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


def unflatten(input, dim, sizes):
    dim = check_dim(dim, len(input.shape))
    sizes = infer_sizes(tuple(sizes), input.shape[dim])
    return view(input, (*input.shape[:dim], *sizes, *input.shape[dim + 1 :]))


def ravel(input):
    return reshape(input, -1)


def view_as(input, other):
    return view(input, other.shape)


def reshape_as(input, other):
    return reshape(input, other.shape)


def expand_as(input, other):
    return expand(input, other.shape)


def broadcast_to(input, size):
    return expand(input, size)


def broadcast_tensors(*tensors):
    from ._pointwise import broadcast

    shape = ()
    for tensor in tensors:
        shape = broadcast(shape, tensor.shape)
    return tuple(expand(tensor, shape) for tensor in tensors)


def split(input, split_size=None, dim=0, *, split_size_or_sections=None):
    split_size = split_size if split_size_or_sections is None else split_size_or_sections
    dim = check_dim(dim, len(input.shape))
    size = input.shape[dim]
    if isinstance(split_size, int):
        if split_size <= 0 and size:
            raise ShapeError(f"split expects split_size be non-negative, but got split_size={split_size}")
        sizes = [min(split_size, size - start) for start in range(0, size, split_size)] or [0]
    else:
        sizes = [as_int(part) for part in split_size]
        if sum(sizes) != size:
            raise ShapeError(
                f"split_with_sizes expects split_sizes to sum exactly to {size} (input tensor's size at dimension {dim}), "
                f"but got split_sizes={sizes}"
            )
    parts, start = [], 0
    for part in sizes:
        parts.append(narrow(input, dim, start, part))
        start += part
    return tuple(parts)


def chunk(input, chunks, dim=0):
    size = input.shape[check_dim(dim, len(input.shape))]
    return split(input, -(-size // chunks) or 1, dim)


def tensor_split(input, indices_or_sections, dim=0):
    size = input.shape[check_dim(dim, len(input.shape))]
    if isinstance(indices_or_sections, int):
        count = indices_or_sections
        sizes = [size // count + (1 if part < size % count else 0) for part in range(count)]
    else:
        edges = [0, *indices_or_sections, size]
        sizes = [stop - start for start, stop in zip(edges, edges[1:])]
    return split(input, sizes, dim)


def unbind(input, dim=0):
    dim = check_dim(dim, len(input.shape))
    return tuple(select(input, dim, index) for index in range(input.shape[dim]))


def unfold(input, dimension, size, step):
    """Sliding windows: gathered by index, so not a view here."""
    from ._create import from_numbers

    dim = check_dim(dimension, len(input.shape))
    count = (input.shape[dim] - size) // step + 1
    index = from_numbers([window * step + i for window in range(count) for i in range(size)], T.int64)
    taken = unflatten(index_select(input, dim, index), dim, (count, size))
    return movedim(taken, dim + 1, -1)


def diagonal(input, offset=0, dim1=0, dim2=1):
    """Elements of a diagonal, gathered by index, so not a view here."""
    from ._create import from_numbers

    ndim = len(input.shape)
    dim1, dim2 = check_dim(dim1, ndim), check_dim(dim2, ndim)
    moved = movedim(input, (dim1, dim2), (-2, -1))
    rows, columns = moved.shape[-2], moved.shape[-1]
    count = max(0, min(rows - max(0, -offset), columns - max(0, offset)))
    index = [(i + max(0, -offset)) * columns + i + max(0, offset) for i in range(count)]
    return index_select(flatten(moved, -2), -1, from_numbers(index, T.int64))
