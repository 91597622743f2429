"""Joining, repeating, padding and copying."""

import math

from crossover_tracer import recorder as R
from crossover_tracer.errors import ShapeError

from . import _types as T
from ._complex import mapped
from ._gather import index_select
from ._pointwise import cast_value, result
from ._shape import narrow, unsqueeze
from ._tensor import Tensor, as_int, check_dim, check_dims, sizes_from
from ._types import Size
from ._views import expand, reshape, sliced


def cat(tensors, dim=0):
    tensors = [tensor for tensor in tensors]
    if not tensors:
        raise ValueError("expected a non-empty list of Tensors")
    kept = [tensor for tensor in tensors if tensor.shape != (0,)] or tensors[:1]
    first = kept[0]
    dim = check_dim(dim, len(first.shape))
    kind, total = first.dtype, 0
    for position, tensor in enumerate(kept):
        kind = T.promote(kind, tensor.dtype)
        if len(tensor.shape) != len(first.shape):
            raise ShapeError(f"Tensors must have same number of dimensions: got {len(first.shape)} and {len(tensor.shape)}")
        for axis, (a, b) in enumerate(zip(first.shape, tensor.shape)):
            if axis != dim and a != b:
                raise ShapeError(
                    f"Sizes of tensors must match except in dimension {dim}. Expected size {a} but got size {b} "
                    f"for tensor number {position} in the list."
                )
        total += tensor.shape[dim]
    shape = Size((*first.shape[:dim], total, *first.shape[dim + 1 :]))
    if kind.category == 3:
        from ._complex import cast, complex, parts

        both = [parts(cast(tensor, kind)) for tensor in kept]
        return complex(cat([re for re, _ in both], dim), cat([im for _, im in both], dim))
    values = tuple(cast_value(tensor, kind) for tensor in kept)
    value = R.current.emit("cat", values, ("dim", dim), T.code_of(kind), tuple(shape))
    return result(value, kind, shape, kept)


def stack(tensors, dim=0):
    tensors = list(tensors)
    for tensor in tensors:
        if tensor.shape != tensors[0].shape:
            raise ShapeError(
                f"stack expects each tensor to be equal size, but got {list(tensors[0].shape)} at entry 0 and "
                f"{list(tensor.shape)} at entry {tensors.index(tensor)}"
            )
    return cat([unsqueeze(tensor, dim) for tensor in tensors], dim if dim >= 0 else dim + len(tensors[0].shape) + 1)


def hstack(tensors):
    tensors = list(tensors)
    return cat(tensors, 0 if len(tensors[0].shape) <= 1 else 1)


def vstack(tensors):
    return cat([unsqueeze(tensor, 0) if len(tensor.shape) == 1 else tensor for tensor in tensors], 0)


def repeat(input, *repeats):
    repeats = sizes_from(repeats)
    lead = len(repeats) - len(input.shape)
    if lead < 0:
        raise ShapeError("Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor")
    old = (1,) * lead + tuple(input.shape)
    if all(count == 1 for count in repeats):
        return clone(reshape(input, old))
    # [a, b] repeated (m, n): [1, a, 1, b] -> [m, a, n, b] -> [m a, n b]
    paired, spread, final = [], [], []
    for size, count in zip(old, repeats):
        if count != 1:
            paired.append(1)
            spread.append(count)
        paired.append(size)
        spread.append(size)
        final.append(size * count)
    return clone(reshape(expand(reshape(input, paired), spread), final))


def tile(input, *sizes, dims=None):
    dims = sizes_from(sizes if dims is None else (dims,))
    return repeat(input, (1,) * (len(input.shape) - len(dims)) + tuple(dims))


def repeat_interleave(input, repeats, dim=None, *, output_size=None):
    if isinstance(repeats, Tensor):
        from ._value import numbers

        repeats = [int(count) for count in numbers(repeats)]
    if dim is None:
        input, dim = reshape(input, -1), 0
    dim = check_dim(dim, len(input.shape))
    if isinstance(repeats, int):
        shape = input.shape
        wide = expand(unsqueeze(input, dim + 1), (*shape[: dim + 1], repeats, *shape[dim + 1 :]))
        return clone(reshape(wide, (*shape[:dim], shape[dim] * repeats, *shape[dim + 1 :])))
    from ._create import from_numbers

    index = [i for i, count in enumerate(repeats) for _ in range(count)]
    return index_select(input, dim, from_numbers(index, T.int64))


def clone(input, *, memory_format=None):
    """A copy: the same graph value in a new storage."""
    if input._storage.array is not None and input._parent is None:
        from ._tensor import from_array

        return from_array(input._storage.array[:], input.dtype, input.shape, input.device)
    strides = None if memory_format is T.contiguous_format else _dense_strides(input)
    return result(input._v(), input.dtype, input.shape, (input,), strides)


def _dense_strides(input):
    if input._strides is None or input.is_contiguous():
        return None
    from ._pointwise import layout_of

    return layout_of(input.shape, (input,))


def contiguous(input, memory_format=None):
    return input if input.is_contiguous() else clone(input, memory_format=T.contiguous_format)


def flip(input, *sizes, dims=None):
    dims = check_dims(sizes_from(sizes if dims is None else (dims,)), len(input.shape))
    if input.dtype.category == 3:
        return mapped(flip, input, dims)
    shape = input.shape
    starts = tuple(size - 1 if dim in dims else 0 for dim, size in enumerate(shape))
    steps = tuple(-1 if dim in dims else 1 for dim in range(len(shape)))
    value = R.current.emit("slice", (input._v(),), ("starts", starts, "steps", steps), T.code_of(input.dtype), tuple(shape))
    return result(value, input.dtype, shape, (input,))


def roll(input, shifts, dims=None):
    if dims is None:
        return reshape(roll(reshape(input, -1), shifts, 0), input.shape)
    shifts = (shifts,) if isinstance(shifts, int) else shifts
    for shift, dim in zip(shifts, check_dims(dims, len(input.shape))):
        size = input.shape[dim]
        shift = shift % size if size else 0
        if shift:
            input = cat((narrow(input, dim, size - shift, shift), narrow(input, dim, 0, size - shift)), dim)
    return input


def padded(input, low, high, value=0.0):
    """Constant padding by `low` and `high` per dimension; negative amounts cut."""
    starts = [max(0, -amount) for amount in low]
    sizes = [size - start - max(0, -amount) for size, start, amount in zip(input.shape, starts, high)]
    if any(size < 0 for size in sizes):
        raise ShapeError(f"The input size {list(input.shape)}, plus negative padding, resulted in a negative output size")
    input = sliced(input, starts, [1] * len(sizes), sizes)
    low, high = tuple(max(0, amount) for amount in low), tuple(max(0, amount) for amount in high)
    if not any(low) and not any(high):
        return clone(input)
    if input.dtype.category == 3:
        return mapped(padded, input, low, high, value)
    shape = Size(size + a + b for size, a, b in zip(sizes, low, high))
    if isinstance(value, float) and not math.isfinite(value):
        value = "nan" if value != value else ("inf" if value > 0 else "-inf")
    attrs = ("low", low, "high", high, "value", value)
    return result(R.current.emit("pad", (input._v(),), attrs, T.code_of(input.dtype), tuple(shape)), input.dtype, shape, (input,))


def tril(input, diagonal=0):
    return _triangle("tril", input, diagonal)


def triu(input, diagonal=0):
    return _triangle("triu", input, diagonal)


def _triangle(op, input, diagonal):
    if len(input.shape) < 2:
        raise ShapeError(f"{op}: input tensor must have at least 2 dimensions")
    if input.dtype.category == 3:
        return mapped(lambda part: _triangle(op, part, diagonal), input)
    value = R.current.emit(op, (input._v(),), ("diagonal", as_int(diagonal)), T.code_of(input.dtype), tuple(input.shape))
    return result(value, input.dtype, input.shape, (input,))
