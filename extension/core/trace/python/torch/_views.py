"""The four primitive views (reshape, permute, slice, expand): every other view is made of them."""

import math

from crossover_tracer import recorder as R
from crossover_tracer.errors import ShapeError

from . import _types as T
from ._pointwise import check_expand, result
from ._tensor import ALIAS, check_dims, new_view, sizes_from, strides_of
from ._types import Size


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


def _with_strides(input, sizes, strides):
    """A reshape whose strides follow from the view itself (squeeze, unsqueeze)."""
    return new_view(input, ("reshape",), Size(sizes), None if input._strides is None else strides, input._offset)
