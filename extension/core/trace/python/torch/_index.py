"""Indexing, reading and writing: numbers, slices, None, ..., masks, and index tensors."""

import math
from builtins import sorted as _sorted

from crossover_tracer import recorder as R
from crossover_tracer.errors import DataDependent, ShapeError, ShapeIndexError

from . import _types as T
from ._complex import mapped
from ._create import from_numbers
from ._gather import _scatter, index_select
from ._pointwise import assign, binary, broadcast, put, result
from ._shape import movedim, select
from ._tensor import Tensor, check_dim, strides_of, write_element
from ._types import Size
from ._value import known_numbers
from ._views import _with_strides, expand, reshape, sliced


def getitem(input, key):
    if type(key) is int:
        return select(input, 0, key)
    viewed, advanced = _basic(input, key)
    return viewed if not advanced else _take(viewed, advanced)


def setitem(input, key, value):
    offset = _element(input, key)
    if offset is not None and _write_number(input, offset, value):
        return
    if isinstance(key, Tensor) and key.dtype.category == 0:
        _put_mask(input, key, value)
        return
    viewed, advanced = _basic(input, key)
    if input._leaf and input._rg and R.current.grad_enabled:
        raise RuntimeError("a view of a leaf Variable that requires grad is being used in an in-place operation.")
    if advanced:
        _put_indexed(viewed, advanced, value)
    else:
        put(viewed, _as_source(value, viewed))


def _as_source(value, target):
    if isinstance(value, Tensor):
        return value
    if isinstance(value, (list, tuple)):
        return from_numbers_like(value, target)
    from ._create import full

    return full((), value, dtype=target.dtype)


def from_numbers_like(value, target):
    from ._create import tensor

    return tensor(value, dtype=target.dtype)


# Elements of tensors whose content Python still holds


def _element(input, key):
    """Storage offset of a key of numbers only that names one element of a contiguous root; None otherwise."""
    if type(key) is int:
        key = (key,)
    shape = input.shape
    if type(key) is not tuple or len(key) != len(shape) or not key:
        return None
    for index in key:
        if type(index) is not int:
            return None
    for dim, (index, size) in enumerate(zip(key, shape)):
        if not -size <= index < size:
            raise ShapeIndexError(f"index {index} is out of bounds for dimension {dim} with size {size}")
    if input._strides is None:
        offset = 0
        for index, size in zip(key, shape):
            offset = offset * size + (index if index >= 0 else index + size)
        return input._offset + offset
    places = (index if index >= 0 else index + size for index, size in zip(key, shape))
    return input._offset + sum(place * stride for place, stride in zip(places, input._strides))


_MAX_ARRAY = 1 << 24


def _write_number(input, offset, value):
    """Writes one element into the array behind `input`; False when the content or the number is not known."""
    storage = input._storage
    if isinstance(value, Tensor):
        from ._value import known_number

        value = known_number(value)
        if value is None:
            return False
    elif not isinstance(value, (int, float)):
        if not hasattr(value, "__float__"):
            return False
        value = float(value)
    if storage.dtype.category == 3 or (input._rg and input._leaf and R.current.grad_enabled):
        return False
    if storage.array is None:
        root = input
        while root._parent is not None:
            root = root._parent
        if root._strides is not None or math.prod(root.shape) > _MAX_ARRAY or storage.graph is not R.current.graph:
            return False
        values = known_numbers(root)
        if values is None:
            return False
        from ._storage import make_array

        storage.array = make_array(storage.dtype.code, values)
    if storage.graph is not R.current.graph:
        return False
    write_element(input, offset, value)
    return True


# Splitting a key into views and index tensors


def _basic(input, key):
    """Applies the parts of a key that are views. Returns the view and {dim: index tensor} for the rest."""
    if type(key) is not tuple:
        key = (key,)
    taken = 0
    for item in key:
        if item is None or item is Ellipsis or isinstance(item, bool):
            continue
        taken += len(item.shape) if isinstance(item, Tensor) and item.dtype.category == 0 else 1
    ndim = len(input.shape)
    if taken > ndim:
        raise ShapeIndexError(f"too many indices for tensor of dimension {ndim}")
    advanced = {}
    dim = 0
    # one pass that gathers consecutive slices into one node
    starts, steps, sizes = [0] * ndim, [1] * ndim, list(input.shape)
    drop, insert = [], []
    out = 0
    seen_ellipsis = False
    for item in key:
        if item is None:
            insert.append(out)
            out += 1
            continue
        if item is Ellipsis:
            if not seen_ellipsis:
                skip = ndim - taken
                dim += skip
                out += skip
                seen_ellipsis = True
            continue
        if isinstance(item, slice):
            starts[dim], sizes[dim], steps[dim] = _slice(item, input.shape[dim])
        elif isinstance(item, Tensor) and not item.shape and item.dtype.category == 1:
            from ._value import known_number

            number = known_number(item)
            if number is None:
                advanced[out] = item
            else:
                _pick(input, dim, int(number), starts, sizes)
                drop.append(dim)
                out -= 1
        elif isinstance(item, Tensor):
            if item.dtype.category == 0:
                for index in _mask_indexes(item, input.shape, dim):
                    advanced[out] = index
                    dim += 1
                    out += 1
                continue
            advanced[out] = item
        elif isinstance(item, (list, tuple, range)):
            from ._create import tensor

            index = tensor(list(item))
            if index.dtype.category == 0:
                for position, mask in enumerate(_mask_indexes(index, input.shape, dim)):
                    advanced[out + position] = mask
            else:
                advanced[out] = index
        elif isinstance(item, bool):
            from crossover_tracer.errors import Unsupported

            raise Unsupported("indexing with True or False is not traced; use None to add a dimension")
        elif hasattr(item, "__index__"):
            _pick(input, dim, item.__index__(), starts, sizes)
            drop.append(dim)
            out -= 1
        else:
            raise ShapeIndexError(
                "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices "
                f"(got {type(item).__name__})"
            )
        dim += 1
        out += 1
    view = sliced(input, starts, steps, sizes)
    if drop or insert:
        strides = strides_of(view)
        shape = [size for d, size in enumerate(view.shape) if d not in drop]
        kept = [stride for d, stride in enumerate(strides) if d not in drop]
        for place in insert:
            shape.insert(place, 1)
            kept.insert(place, shape[place + 1] * kept[place] if place < len(kept) else 1)
        view = _with_strides(view, tuple(shape), tuple(kept))
    return view, advanced


def _pick(input, dim, index, starts, sizes):
    size = input.shape[dim]
    if not -size <= index < size:
        raise ShapeIndexError(f"index {index} is out of bounds for dimension {dim} with size {size}")
    starts[dim], sizes[dim] = (index + size if index < 0 else index), 1


def _slice(item, size):
    from ._tensor import as_int

    parts = [None if part is None else as_int(part) for part in (item.start, item.stop, item.step)]
    start, stop, step = slice(*parts).indices(size) if parts[2] is None or parts[2] > 0 else (0, 0, -1)
    if step <= 0:
        raise ValueError("step must be greater than zero")
    return start, max(0, -(-(stop - start) // step)), step


def _mask_indexes(mask, shape, dim):
    """Index tensors of a mask whose value is known; a traced mask has a shape that depends on data."""
    values = known_numbers(mask)
    if values is None:
        raise DataDependent(
            "reading with a boolean mask gives a tensor whose shape depends on data; use torch.where or masked_fill"
        )
    if tuple(shape[dim : dim + len(mask.shape)]) != tuple(mask.shape):
        raise ShapeIndexError(
            f"The shape of the mask {list(mask.shape)} at index 0 does not match the shape of the indexed tensor "
            f"{list(shape)} at index {dim}"
        )
    flat = [position for position, value in enumerate(values) if value]
    indexes, inner = [], math.prod(mask.shape)
    for size in mask.shape:
        inner //= size or 1
        indexes.append(from_numbers([position // inner % size for position in flat], T.int64))
    return indexes


# Index tensors


def _normalised(index, size):
    """Index values counted from 0. Known ones are checked; traced ones get `where` for negatives."""
    if index.dtype.category != 1:
        raise ShapeIndexError("tensors used as indices must be long, int, byte or bool tensors")
    index = index.to(T.int64)
    values = known_numbers(index)
    if values is not None:
        for number in values:
            if not -size <= number < size:
                raise ShapeIndexError(f"index {int(number)} is out of bounds for dimension 0 with size {size}")
        if all(number >= 0 for number in values):
            return index
        return from_numbers([int(number) % size for number in values], T.int64, index.shape)
    recorder = R.current
    op = recorder.graph.nodes[recorder.graph.producers[index._v()]][0]
    if op in ("input", "argmax", "argmin", "arange"):
        return index
    from ._ops import where

    return where(binary("lt", index, 0, compare=True), binary("add", index, size), index)


def _fronted(input, advanced):
    """Moves indexed dims to the front and flattens them: [P, rest...], flat index [n], index shape, place of the result."""
    dims = sorted(advanced)
    shape = Size()
    for dim in dims:
        shape = broadcast(shape, advanced[dim].shape)
    flat = None
    for dim in dims:
        size = input.shape[dim]
        index = _normalised(advanced[dim], size)
        index = expand(index, shape)
        flat = index if flat is None else binary("add", binary("mul", flat, size), index)
    adjacent = dims[-1] - dims[0] == len(dims) - 1
    moved = movedim(input, tuple(dims), tuple(range(len(dims)))) if dims != list(range(len(dims))) else input
    rest = moved.shape[len(dims) :]
    flattened = reshape(moved, (math.prod(moved.shape[: len(dims)]), *rest))
    return flattened, flat, shape, dims[0] if adjacent else 0


def _take(input, advanced):
    dims = sorted(advanced)
    if dims == [0] and len(input.shape) == 2:
        return _embed(input, _normalised(advanced[0], input.shape[0]))
    if len(dims) == 1:
        dim = dims[0]
        index = _normalised(advanced[dim], input.shape[dim])
        shape = (*input.shape[:dim], *index.shape, *input.shape[dim + 1 :])
        return _fresh_shape(index_select(input, dim, reshape(index, -1)), shape)
    flattened, flat, shape, place = _fronted(input, advanced)
    taken = index_select(flattened, 0, reshape(flat, -1))
    taken = _fresh_shape(taken, (*shape, *taken.shape[1:]))
    if place:
        count = len(shape)
        taken = movedim(taken, tuple(range(count)), tuple(range(place, place + count)))
    return taken


def _fresh_shape(input, shape):
    return input if input.shape == tuple(shape) else reshape(input, shape)


def _embed(weight, index):
    """weight [V, D] at index [...]: [..., D]."""
    if weight.dtype.category == 3:
        return mapped(_embed, weight, index)
    shape = Size((*index.shape, weight.shape[1]))
    value = R.current.emit("embedding", (weight._v(), index._v()), (), T.code_of(weight.dtype), tuple(shape))
    return result(value, weight.dtype, shape, (weight, index))


def _put_mask(input, mask, value):
    if tuple(input.shape[: len(mask.shape)]) != tuple(mask.shape):
        raise ShapeIndexError(
            f"The shape of the mask {list(mask.shape)} at index 0 does not match the shape of the indexed tensor "
            f"{list(input.shape)} at index 0"
        )
    if isinstance(value, Tensor) and value.numel() != 1:
        raise DataDependent(
            "writing a tensor through a boolean mask depends on how many elements are true; use torch.where"
        )
    from ._ops import where

    if isinstance(value, Tensor):
        value = reshape(value, ())
    mask = reshape(mask, (*mask.shape, *([1] * (len(input.shape) - len(mask.shape)))))
    assign(input, where(mask, value, input))


def _put_indexed(input, advanced, value, accumulate=False):
    flattened, flat, shape, place = _fronted(input, advanced)
    rest = flattened.shape[1:]
    source = _as_source(value, input)
    if place:
        # the value has its index dims where the first indexed dim was
        count = len(shape)
        source = expand(source, (*rest[:place], *shape, *rest[place:]))
        source = movedim(source, tuple(range(place, place + count)), tuple(range(count)))
    else:
        source = expand(source, (*shape, *rest))
    count = math.prod(shape)
    source = reshape(source, (count, *rest)).to(input.dtype)
    index = expand(reshape(flat, (count, *([1] * len(rest)))), (count, *rest))
    op = "scatter_add" if accumulate else "scatter"
    written = _scatter(op, flattened, 0, index, source)
    dims = sorted(advanced)
    moved = [input.shape[dim] for dim in dims] + list(rest)
    written = reshape(written, moved)
    if dims != list(range(len(dims))):
        written = movedim(written, tuple(range(len(dims))), tuple(dims))
    put(input, written)


def index_put_(input, indices, values, accumulate=False):
    advanced = {dim: index for dim, index in enumerate(indices) if index is not None}
    _put_indexed(input, advanced, values, accumulate)
    return input


def index_put(input, indices, values, accumulate=False):
    return index_put_(input.clone(), indices, values, accumulate)


def index_fill_(input, dim, index, value):
    key = [slice(None)] * len(input.shape)
    key[check_dim(dim, len(input.shape))] = index
    setitem(input, tuple(key), value)
    return input


def masked_fill(input, mask, value):
    from ._ops import where

    if isinstance(value, Tensor) and value.shape:
        raise ShapeError(
            "masked_fill only supports a 0-dimensional value tensor, but got tensor with "
            f"{len(value.shape)} dimension(s)."
        )
    if mask.dtype.category != 0:
        raise RuntimeError(f"masked_fill_ only supports boolean masks, but got mask with dtype {mask.dtype.name}")
    if isinstance(value, Tensor):
        value = value.to(input.dtype)
    elif input.dtype.category == 1:
        value = int(value)
    return where(mask, value, input)


def masked_fill_(input, mask, value):
    return assign(input, masked_fill(input, mask, value))


def nonzero(input, *, as_tuple=False):
    values = known_numbers(input)
    if values is None:
        raise DataDependent("nonzero gives a tensor whose shape depends on data; use torch.where with three arguments")
    indexes = _mask_indexes(from_numbers([bool(v) for v in values], T.bool_, input.shape), input.shape, 0)
    if as_tuple:
        return tuple(indexes)
    from ._join import stack

    return stack(indexes, 1)


def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The distinct elements, in order, of a tensor whose elements are known."""
    values = None if return_inverse or return_counts or dim is not None else known_numbers(input)
    if values is None:
        raise DataDependent(
            "unique gives a tensor whose shape depends on data; experts that some tokens take are traced as gathers of "
            "their weights, or as products with weights that are zero"
        )
    return from_numbers(_sorted(set(values)), input.dtype)


def argwhere(input):
    return nonzero(input)


def masked_select(input, mask):
    return getitem(expand(input, broadcast(input.shape, mask.shape)), expand(mask, broadcast(input.shape, mask.shape)))


