"""Views and rearrangements: the four primitive views (reshape, permute, slice, expand) and everything made of them."""

import math

from crossover_tracer import recorder as R
from crossover_tracer.errors import ShapeError, ShapeIndexError

from . import _types as T
from ._pointwise import cast_value, check_expand, result
from ._tensor import ALIAS, Tensor, as_int, check_dim, check_dims, new_view, sizes_from, strides_of, value_shape
from ._types import Size

# Primitive views


def infer_sizes(sizes, count):
    """Sizes with one -1 filled in, for a tensor of `count` elements."""
    unknown = [dim for dim, size in enumerate(sizes) if size == -1]
    if len(unknown) > 1:
        raise ShapeError("only one dimension can be inferred")
    for size in sizes:
        if size < -1:
            raise ShapeError(f"invalid shape dimension {size}")
    known = math.prod(size for size in sizes if size != -1)
    if unknown:
        if known == 0:
            raise ShapeError(f"cannot reshape tensor of 0 elements into shape {list(sizes)} because the unspecified "
                             "dimension size -1 can be any value and is ambiguous")  # fmt: skip
        if count % known:
            raise ShapeError(f"shape '{list(sizes)}' is invalid for input of size {count}")
        sizes = tuple(count // known if size == -1 else size for size in sizes)
    elif known != count:
        raise ShapeError(f"shape '{list(sizes)}' is invalid for input of size {count}")
    return Size(sizes)


def view_strides(shape, strides, new):
    """Strides that make `new` a view of a tensor of `shape` and `strides`; None when there are none."""
    if math.prod(shape) == 0:
        return ()
    result, position = [0] * len(new), len(new) - 1
    base = strides[-1] if strides else 1
    tensor_count, view_count = 1, 1
    for dim in range(len(shape) - 1, -1, -1):
        tensor_count *= shape[dim]
        if dim == 0 or (shape[dim - 1] != 1 and strides[dim - 1] != tensor_count * base):
            while position >= 0 and (view_count < tensor_count or new[position] == 1):
                result[position] = view_count * base
                view_count *= new[position]
                position -= 1
            if view_count != tensor_count:
                return None
            if dim > 0:
                base = strides[dim - 1]
                tensor_count, view_count = 1, 1
    if position != -1 and shape:
        return None
    if not shape:
        return (1,) * len(new)
    return tuple(result)


def _reshaped(input, sizes, strict):
    if sizes == input.shape:
        return new_view(input, ALIAS, input.shape, input._strides, input._offset)
    strides = None
    if input._strides is not None:
        strides = view_strides(input.shape, input._strides, sizes)
        if strides is None:
            if strict:
                raise ShapeError(
                    "view size is not compatible with input tensor's size and stride (at least one dimension spans "
                    "across two contiguous subspaces). Use .reshape(...) instead."
                )
            return _copied(input, sizes)
        strides = strides or None
    return new_view(input, ("reshape",), sizes, strides, input._offset)


def _copied(input, sizes):
    inner = (2,) if input.dtype.category == 3 else ()
    code = T.code_of(input.dtype.to_real())
    value = R.current.emit("reshape", (input._v(),), (), code, (*sizes, *inner))
    return result(value, input.dtype, sizes, (input,))


def reshape(input, *shape):
    return _reshaped(input, infer_sizes(sizes_from(shape), input.numel()), False)


def view(input, *shape):
    if len(shape) == 1 and isinstance(shape[0], (T.dtype, type)):
        from crossover_tracer.errors import Unsupported

        raise Unsupported("view(dtype), which reinterprets bits, is not traced; use .to(dtype)")
    return _reshaped(input, infer_sizes(sizes_from(shape), input.numel()), True)


def permute(input, *dims):
    dims = check_dims(sizes_from(dims), len(input.shape))
    if len(dims) != len(input.shape):
        raise ShapeError(
            f"permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired "
            f"ordering of dimensions i.e. input.dim() = {len(input.shape)} is not equal to len(dims) = {len(dims)}"
        )
    strides = strides_of(input)
    if dims == tuple(range(len(dims))):
        return new_view(input, ALIAS, input.shape, input._strides, input._offset)
    shape = Size(input.shape[dim] for dim in dims)
    return new_view(input, ("permute", dims), shape, tuple(strides[dim] for dim in dims), input._offset)


def sliced(input, starts, steps, sizes):
    """The region that begins at `starts` and takes `sizes` elements in `steps`."""
    sizes = Size(sizes)
    if sizes == input.shape:
        return new_view(input, ALIAS, input.shape, input._strides, input._offset)
    strides = strides_of(input)
    offset = input._offset + sum(start * stride for start, stride in zip(starts, strides))
    strides = tuple(stride * step for stride, step in zip(strides, steps))
    return new_view(input, ("slice", tuple(starts), tuple(steps)), sizes, strides, offset)


def expand(input, *sizes):
    sizes = list(sizes_from(sizes))
    lead = len(sizes) - len(input.shape)
    if lead < 0:
        raise ShapeError(
            f"expand: the number of sizes provided ({len(sizes)}) must be greater or equal to the number of dimensions "
            f"in the tensor ({len(input.shape)})"
        )
    for dim, size in enumerate(sizes):
        if size == -1:
            if dim < lead:
                raise ShapeError(
                    f"The expanded size of the tensor (-1) isn't allowed in a leading, non-existing dimension {dim}"
                )
            sizes[dim] = input.shape[dim - lead]
    sizes = Size(sizes)
    check_expand(input.shape, sizes)
    if sizes == input.shape:
        return new_view(input, ALIAS, input.shape, input._strides, input._offset)
    strides = strides_of(input)
    strides = (0,) * lead + tuple(
        0 if old == 1 and new != 1 else stride for old, new, stride in zip(input.shape, sizes[lead:], strides)
    )
    return new_view(input, ("expand",), sizes, strides, input._offset)


# Made of the primitives


def _with_strides(input, sizes, strides):
    """A reshape whose strides follow from the view itself (squeeze, unsqueeze)."""
    return new_view(input, ("reshape",), Size(sizes), None if input._strides is None else strides, input._offset)


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


def split(input, split_size, dim=0, *, split_size_or_sections=None):
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
    from ._index import index_select

    dim = check_dim(dimension, len(input.shape))
    count = (input.shape[dim] - size) // step + 1
    index = from_numbers([window * step + i for window in range(count) for i in range(size)], T.int64)
    taken = unflatten(index_select(input, dim, index), dim, (count, size))
    return movedim(taken, dim + 1, -1)


def diagonal(input, offset=0, dim1=0, dim2=1):
    """Elements of a diagonal, gathered by index, so not a view here."""
    from ._create import from_numbers
    from ._index import index_select

    ndim = len(input.shape)
    dim1, dim2 = check_dim(dim1, ndim), check_dim(dim2, ndim)
    moved = movedim(input, (dim1, dim2), (-2, -1))
    rows, columns = moved.shape[-2], moved.shape[-1]
    count = max(0, min(rows - max(0, -offset), columns - max(0, offset)))
    index = [(i + max(0, -offset)) * columns + i + max(0, offset) for i in range(count)]
    return index_select(flatten(moved, -2), -1, from_numbers(index, T.int64))


# Joining and copying


def cat(tensors, dim=0, *, axis=None):
    tensors = [tensor for tensor in tensors]
    dim = dim if axis is None else axis
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
        from ._complex import view_as_complex, view_as_real

        return view_as_complex(cat([view_as_real(tensor) for tensor in kept], dim))
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


def tile(input, *dims):
    dims = sizes_from(dims)
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
    from ._index import index_select

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


def flip(input, *dims):
    dims = check_dims(sizes_from(dims), len(input.shape))
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
    value = R.current.emit(op, (input._v(),), ("diagonal", as_int(diagonal)), T.code_of(input.dtype), value_shape(input))
    return result(value, input.dtype, input.shape, (input,))
