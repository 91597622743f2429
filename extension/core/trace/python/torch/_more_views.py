"""Stacking, splitting, and writing by the names of NumPy, and elements picked by flat index."""

import math
from collections import namedtuple

from crossover_tracer.errors import ShapeError, Unsupported

from . import _gather, _index, _join, _ops as O, _reduce, _shape
from . import _types as T
from ._create import arange, from_numbers, ones_like, tensor
from ._pointwise import assign
from ._tensor import Tensor, check_dim
from ._value import numbers

_Kth = namedtuple("kthvalue", ("values", "indices"))


def _at_least(rank, input):
    if rank == 1:
        return input.reshape(1) if input.dim() == 0 else input
    if rank == 2:
        return _at_least(1, input).unsqueeze(0) if input.dim() < 2 else input
    return _at_least(2, input).unsqueeze(-1) if input.dim() < 3 else input


def _each(rank, tensors):
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = tensors[0]
        return tuple(_at_least(rank, tensor) for tensor in tensors)
    return _at_least(rank, tensors[0]) if len(tensors) == 1 else tuple(_at_least(rank, tensor) for tensor in tensors)


def atleast_1d(*tensors):
    return _each(1, tensors)


def atleast_2d(*tensors):
    return _each(2, tensors)


def atleast_3d(*tensors):
    return _each(3, tensors)


def column_stack(tensors):
    return _join.cat([tensor.reshape(-1, 1) if tensor.dim() < 2 else tensor for tensor in tensors], 1)


def dstack(tensors):
    return _join.cat([_at_least(3, tensor) for tensor in tensors], 2)


def hsplit(input, indices_or_sections):
    return _shape.tensor_split(input, indices_or_sections, 0 if input.dim() == 1 else 1)


def vsplit(input, indices_or_sections):
    return _shape.tensor_split(input, indices_or_sections, 0)


def dsplit(input, indices_or_sections):
    return _shape.tensor_split(input, indices_or_sections, 2)


def split_with_sizes(input, split_sizes, dim=0):
    return _shape.split(input, list(split_sizes), dim)


unsafe_split, unsafe_chunk = _shape.split, _shape.chunk


def fliplr(input):
    return _join.flip(input, 1)


def flipud(input):
    return _join.flip(input, 0)


# Writing into a copy


def select_scatter(input, src, dim, index):
    key = [slice(None)] * input.dim()
    key[check_dim(dim, input.dim())] = index
    return _written(input, tuple(key), src)


def slice_scatter(input, src, dim=0, start=None, end=None, step=1):
    key = [slice(None)] * input.dim()
    key[check_dim(dim, input.dim())] = slice(start, end, step)
    return _written(input, tuple(key), src)


def _written(input, key, source):
    copy = _join.clone(input)
    _index.setitem(copy, key, source)
    return copy


def _on_diagonal(input, offset, dim1, dim2):
    """Whether each element lies on a diagonal of two dims: booleans of those two, ones elsewhere."""
    rows, columns = (
        arange(input.shape[dim]).reshape([-1 if d == dim else 1 for d in range(input.dim())]) for dim in (dim1, dim2)
    )
    return O.eq(columns - rows, offset)


def diagonal_scatter(input, src, offset=0, dim1=0, dim2=1):
    dim1, dim2 = check_dim(dim1, input.dim()), check_dim(dim2, input.dim())
    if src.shape != _shape.diagonal(input, offset, dim1, dim2).shape:
        raise ShapeError(f"expected src to have a size equal to the slice of self. src size = {list(src.shape)}")
    # along the rows: the diagonal's i-th element stands in row i, or i - offset below the main one
    wide = _join.padded(src, [0] * (src.dim() - 1) + [max(0, -offset)],
                        [0] * (src.dim() - 1) + [input.shape[dim1] - src.shape[-1] - max(0, -offset)])  # fmt: skip
    wide = _shape.movedim(wide.unsqueeze(-1), (-2, -1), (dim1, dim2))
    return O.where(_on_diagonal(input, offset, dim1, dim2), wide, input)


def fill_diagonal_(input, fill_value, wrap=False):
    if input.dim() != 2 or wrap and input.shape[0] > input.shape[1]:
        raise Unsupported("fill_diagonal_ is traced for matrices without wrap; use torch.where with torch.eye")
    return assign(input, O.where(_on_diagonal(input, 0, 0, 1), fill_value, input))


def diagflat(input, offset=0):
    from . import diag

    return diag(input.reshape(-1), offset)


def index_fill(input, dim, index, value):
    return _index.index_fill_(_join.clone(input), dim, index, value)


def masked_scatter(input, mask, source):
    """Where the mask is true, the elements of `source` in turn."""
    mask = mask.expand(input.shape).reshape(-1)
    place = O.clamp(_reduce.cumsum(mask, 0) - 1, 0, source.numel() - 1)
    return O.where(mask, take(source, place), input.reshape(-1)).reshape(input.shape)


def masked_scatter_(input, mask, source):
    return assign(input, masked_scatter(input, mask, source))


def scatter_reduce(input, dim, index, src, reduce, *, include_self=True):
    """Sums and means; the others would need the elements of each place at once."""
    if reduce not in ("sum", "mean"):
        raise Unsupported(f"scatter_reduce with reduce='{reduce}' is not traced; use 'sum' or 'mean'")
    if not include_self:
        hit = O.gt(_gather.scatter_add(input.new_zeros(input.shape), dim, index, src.new_ones(index.shape)), 0)
        input = O.where(hit, 0.0, input)
    sums = _gather.scatter_add(input, dim, index, src)
    if reduce == "sum":
        return sums
    counts = ones_like(input) if include_self else O.where(hit, 0.0, 1.0)
    return sums / _gather.scatter_add(counts.detach(), dim, index, src.new_ones(index.shape))


def scatter_reduce_(input, dim, index, src, reduce, *, include_self=True):
    return assign(input, scatter_reduce(input, dim, index, src, reduce, include_self=include_self))


# Picking


def take(input, index):
    """Elements of the flattened input."""
    return _gather.index_select(input.reshape(-1), 0, _index._normalised(index.reshape(-1), input.numel())).reshape(index.shape)


def as_strided(input, size, stride, storage_offset=None):
    """Elements by their places in storage, gathered: not a view here."""
    root = input
    while root._parent is not None:
        root = root._parent
    if root._strides is not None and not root.is_contiguous():
        raise Unsupported("as_strided of a tensor that is not contiguous is not traced; call contiguous() first")
    places = [input._offset if storage_offset is None else storage_offset]
    for count, step in zip(size, stride):
        places = [place + i * step for place in places for i in range(count)]
    return take(root, from_numbers(places, T.int64)).reshape(tuple(size))


def unravel_index(indices, shape):
    found, rest = [], indices
    for size in reversed(shape):
        found.insert(0, O.remainder(rest, size))
        rest = O.floor_divide(rest, size)
    return tuple(found)


def kthvalue(input, k, dim=-1, keepdim=False):
    """The k-th smallest, counted from 1."""
    values, indices = _reduce.sort(input, dim)
    values, indices = values.narrow(dim, k - 1, 1), indices.narrow(dim, k - 1, 1)
    return _Kth(values if keepdim else values.squeeze(dim), indices if keepdim else indices.squeeze(dim))


def msort(input):
    return _reduce.sort(input, 0).values


def nanmean(input, dim=None, keepdim=False, *, dtype=None):
    there = O.logical_not(O.isnan(input))
    return _reduce.nansum(input, dim, keepdim) / _reduce.sum(there, dim, keepdim)


def quantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The value below which a share q of the elements lies; q a number or a vector of known numbers."""
    if dim is None:
        found = quantile(input.reshape(-1), q, 0, False, interpolation=interpolation)
        return found.reshape(tuple(found.shape) + (1,) * input.dim()) if keepdim else found
    dim = check_dim(dim, input.dim())
    ordered, last = _reduce.sort(input, dim).values, input.shape[dim] - 1
    if isinstance(q, Tensor) and q.dim() == 1:
        return _join.stack([quantile(input, share, dim, keepdim, interpolation=interpolation) for share in numbers(q)])
    place = (numbers(q)[0] if isinstance(q, Tensor) else q) * last
    low, high = math.floor(place), math.ceil(place)
    share = {"linear": place - low, "lower": 0.0, "higher": 1.0, "midpoint": 0.5 if high > low else 0.0,
             "nearest": float(round(place) - low)}[interpolation]  # fmt: skip
    found = _shape.narrow(ordered, dim, low, 1)
    if share:
        found = O.lerp(found, _shape.narrow(ordered, dim, high, 1), share)
    found = O.where(_reduce.any(O.isnan(input), dim, True), math.nan, found)
    return found if keepdim else found.squeeze(dim)


def sum_to_size(input, *size):
    size = size[0] if len(size) == 1 and not isinstance(size[0], int) else size
    lead = input.dim() - len(size)
    dims = [*range(lead), *(lead + i for i, n in enumerate(size) if n == 1 and input.shape[lead + i] != 1)]
    return (input.sum(dims, True) if dims else input).reshape(tuple(size))


def asarray(data, *, dtype=None, device=None, copy=None, requires_grad=False):
    return data if isinstance(data, Tensor) and dtype is None else tensor(data, dtype=dtype)


def is_same_size(input, other):
    return input.shape == other.shape


def is_nonzero(input):
    return bool(input)


def is_signed(input):
    return input.dtype.is_signed

