"""Arrays of known numbers: enough to build tables that become tensors."""

import itertools
import math
import operator

from crossover_tracer.nested import nested

from ._types import converter, dtype, kind_of, name_of, promote


class ndarray:
    """Numbers, row-major, with a shape."""

    __array_priority__ = 1000

    def __init__(self, values, shape, kind):
        self.flat, self.shape, self.dtype = list(values), tuple(shape), dtype(kind)

    ndim = property(lambda self: len(self.shape))
    size = property(lambda self: math.prod(self.shape))
    nbytes = property(lambda self: self.size * 8)
    T = property(lambda self: self.transpose())

    def __len__(self):
        return self.shape[0]

    def __repr__(self):
        return f"array({self.tolist()})"

    def tolist(self):
        return nested(self.flat, self.shape)

    def item(self, *index):
        return self[index] if index else self.flat[0]

    def __bool__(self):
        if self.size != 1:
            raise ValueError(
                "The truth value of an array with more than one element is ambiguous. Use a.any() or a.all()"
            )
        return bool(self.flat[0])

    def __float__(self):
        return float(self.flat[0])

    def __int__(self):
        return int(self.flat[0])

    __index__ = __int__

    def astype(self, kind, copy=True):
        name = name_of(kind)
        return ndarray(map(converter(name), self.flat), self.shape, name)

    def copy(self):
        return ndarray(self.flat, self.shape, self.dtype)

    def fill(self, value):
        self.flat[:] = [value] * len(self.flat)

    def reshape(self, *shape):
        shape = list(shape[0] if isinstance(shape[0], (tuple, list)) else shape)
        if -1 in shape:
            shape[shape.index(-1)] = self.size // -math.prod(shape)
        if math.prod(shape) != self.size:
            raise ValueError(f"cannot reshape array of size {self.size} into shape {tuple(shape)}")
        return ndarray(self.flat, shape, self.dtype)

    def flatten(self):
        return self.reshape(-1)

    ravel = flatten

    def squeeze(self, axis=None):
        axes = range(self.ndim) if axis is None else (axis % self.ndim,)
        return self.reshape([n for i, n in enumerate(self.shape) if not (n == 1 and i in axes)])

    def transpose(self, *axes):
        axes = axes[0] if axes and isinstance(axes[0], (tuple, list)) else axes or range(self.ndim)[::-1]
        strides = _strides(self.shape)
        shape = [self.shape[axis] for axis in axes]
        return ndarray([self.flat[p] for p in _positions(shape, [strides[axis] for axis in axes])], shape, self.dtype)

    # Indexing

    def __iter__(self):
        return (self[index] for index in range(len(self)))

    def __getitem__(self, key):
        positions, shape = _select(self, key)
        values = [self.flat[position] for position in positions]
        return values[0] if shape is None else ndarray(values, shape, self.dtype)

    def __setitem__(self, key, value):
        positions, shape = _select(self, key)
        convert = converter(self.dtype.name)
        if not isinstance(value, (ndarray, list, tuple)) and not hasattr(value, "tolist"):
            values = [value] * len(positions)
        else:
            values = broadcast(as_array(value), shape or ()).flat
        for position, number in zip(positions, values):
            self.flat[position] = convert(number)

    # Reductions

    def _reduce(self, function, axis, keepdims, kind=None):
        if axis is None:
            value = function(self.flat)
            return value if not keepdims else ndarray([value], [1] * self.ndim, kind or self.dtype)
        axis %= self.ndim
        outer, inner = math.prod(self.shape[:axis]), math.prod(self.shape[axis + 1 :])
        count = self.shape[axis]
        values = [
            function(self.flat[o * count * inner + i : (o + 1) * count * inner : inner])
            for o in range(outer)
            for i in range(inner)
        ]
        shape = [*self.shape[:axis], *([1] if keepdims else []), *self.shape[axis + 1 :]]
        return ndarray(values, shape, kind or self.dtype) if shape else values[0]

    def sum(self, axis=None, keepdims=False, dtype=None):
        return self._reduce(sum, axis, keepdims, "int64" if self.dtype == "bool" else None)

    def mean(self, axis=None, keepdims=False, dtype=None):
        return self._reduce(lambda values: sum(values) / len(values), axis, keepdims, "float64")

    def var(self, axis=None, keepdims=False, ddof=0):
        def variance(values):
            centre = sum(values) / len(values)
            return sum((value - centre) ** 2 for value in values) / (len(values) - ddof)

        return self._reduce(variance, axis, keepdims, "float64")

    def std(self, axis=None, keepdims=False, ddof=0):
        return self.var(axis, keepdims, ddof) ** 0.5

    def max(self, axis=None, keepdims=False):
        return self._reduce(max, axis, keepdims)

    def min(self, axis=None, keepdims=False):
        return self._reduce(min, axis, keepdims)

    def prod(self, axis=None, keepdims=False):
        return self._reduce(math.prod, axis, keepdims)

    def all(self, axis=None, keepdims=False):
        return self._reduce(all, axis, keepdims, "bool")

    def any(self, axis=None, keepdims=False):
        return self._reduce(any, axis, keepdims, "bool")

    def argmax(self, axis=None):
        return self._reduce(lambda values: max(range(len(values)), key=values.__getitem__), axis, False, "int64")

    def argmin(self, axis=None):
        return self._reduce(lambda values: min(range(len(values)), key=values.__getitem__), axis, False, "int64")

    def cumsum(self, axis=None):
        if axis is None:
            return ndarray(itertools.accumulate(self.flat), (self.size,), self.dtype)
        moved = list(range(self.ndim))
        moved.append(moved.pop(axis % self.ndim))
        rows = self.transpose(moved)
        count = rows.shape[-1]
        sums = [
            value
            for start in range(0, rows.size, count)
            for value in itertools.accumulate(rows.flat[start : start + count])
        ]
        return ndarray(sums, rows.shape, self.dtype).transpose([moved.index(i) for i in range(self.ndim)])

    # Arithmetic

    def __neg__(self):
        return ndarray([-value for value in self.flat], self.shape, self.dtype)

    def __pos__(self):
        return self

    def __abs__(self):
        return ndarray(map(abs, self.flat), self.shape, self.dtype)

    def __invert__(self):
        return ndarray([not v if self.dtype == "bool" else ~v for v in self.flat], self.shape, self.dtype)

    def __matmul__(self, other):
        return matmul(self, other)

    def __rmatmul__(self, other):
        return matmul(other, self)

    dot = __matmul__


def _ordinary(symbol, function):
    def forward(self, other):
        return NotImplemented if hasattr(other, "_storage") else binary(function, self, other)

    def backward(self, other):
        return binary(function, other, self)

    def in_place(self, other):
        self[...] = binary(function, self, other)
        return self

    setattr(ndarray, f"__{symbol}__", forward)
    setattr(ndarray, f"__r{symbol}__", backward)
    setattr(ndarray, f"__i{symbol}__", in_place)


for _symbol in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and_", "or_", "xor"):
    _ordinary(_symbol.rstrip("_"), getattr(operator, _symbol))


def _comparison(symbol, function):
    setattr(ndarray, f"__{symbol}__", lambda self, other: binary(function, self, other, "bool"))


for _symbol in ("lt", "le", "gt", "ge", "eq", "ne"):
    _comparison(_symbol, getattr(operator, _symbol))
ndarray.__hash__ = None


def binary(function, a, b, kind=None):
    """Element by element, with broadcasting; numbers take the other side's type."""
    if not isinstance(a, ndarray) and not isinstance(b, ndarray) and not isinstance(a, (list, tuple)):
        return function(a, b)
    names = [item.dtype.name for item in (a, b) if isinstance(item, ndarray)]
    a, b = as_array(a), as_array(b)
    if a.shape != b.shape:
        shape = broadcast_shape(a.shape, b.shape)
        a, b = broadcast(a, shape), broadcast(b, shape)
    values = [function(x, y) for x, y in zip(a.flat, b.flat)]
    if kind is None:
        kind = promote(names or [a.dtype.name, b.dtype.name])
        if "float" not in kind and any(isinstance(value, float) for value in values):
            kind = "float64"
        if kind == "float32":
            values = map(converter(kind), values)
    return ndarray(values, a.shape, kind)


def broadcast_shape(a, b):
    rank = max(len(a), len(b))
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in (a, b)]
    if any(x != y and 1 not in (x, y) for x, y in zip(*padded)):
        raise ValueError(f"operands could not be broadcast together with shapes {tuple(a)} {tuple(b)}")
    return tuple(y if x == 1 else x for x, y in zip(*padded))


def broadcast(a, shape):
    shape = tuple(shape)
    if a.shape == shape:
        return a
    missing = len(shape) - len(a.shape)
    if missing < 0 or broadcast_shape(a.shape, shape) != shape:
        raise ValueError(f"could not broadcast input array from shape {a.shape} into shape {shape}")
    strides = [0] * missing + [0 if n == 1 else stride for n, stride in zip(a.shape, _strides(a.shape))]
    return ndarray([a.flat[p] for p in _positions(shape, strides)], shape, a.dtype)


def matmul(a, b):
    a, b = as_array(a), as_array(b)
    if a.ndim > 2 or b.ndim > 2:
        raise TypeError("matrix products of arrays have one or two dimensions while tracing; use torch")
    left = a if a.ndim == 2 else a.reshape(1, -1)
    right = b if b.ndim == 2 else b.reshape(-1, 1)
    if left.shape[1] != right.shape[0]:
        raise ValueError(f"matmul: shapes {a.shape} and {b.shape} do not fit")
    columns = [right.flat[j :: right.shape[1]] for j in range(right.shape[1])]
    rows = [left.flat[i * left.shape[1] : (i + 1) * left.shape[1]] for i in range(left.shape[0])]
    values = [sum(map(operator.mul, row, column)) for row in rows for column in columns]
    shape = [*a.shape[:-1], *b.shape[1:]]
    return ndarray(values, shape, promote([a.dtype.name, b.dtype.name])) if shape else values[0]


def as_array(data, kind=None):
    """Numbers, nested sequences, arrays and tensors as an array; an array stays the one it is."""
    if not isinstance(data, ndarray):
        if hasattr(data, "tolist"):
            data = data.tolist()
        shape, flat, part = [], [data], data
        while isinstance(part, (list, tuple, range)):
            shape.append(len(part))
            flat = [item for row in flat for item in row]
            part = part[0] if len(part) else None
        if flat and isinstance(flat[0], ndarray):
            inner = flat[0]
            data = ndarray([v for item in flat for v in item.flat], (*shape, *inner.shape), inner.dtype)
        else:
            data = ndarray(flat, shape, promote([kind_of(value) for value in flat]) if flat else "float64")
            if data.dtype == "float64":
                data.flat = [float(value) for value in flat]
    return data if kind is None or data.dtype == kind else data.astype(kind)


# Places of elements


def _strides(shape):
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return strides[::-1]


def _positions(shape, strides, offset=0):
    positions = [offset]
    for size, stride in zip(shape, strides):
        positions = [position + index * stride for position in positions for index in range(size)]
    return positions


def _select(source, key):
    """Flat positions of a key and the shape they make; None instead of a shape for one element."""
    if isinstance(key, ndarray) and key.dtype == "bool":
        if key.shape != source.shape:
            raise TypeError("a mask has the shape of its array while tracing")
        found = [position for position, chosen in enumerate(key.flat) if chosen]
        return found, (len(found),)
    parts = list(key) if isinstance(key, tuple) else [key]
    given = sum(part is not None and part is not Ellipsis for part in parts)
    if given > source.ndim:
        raise IndexError(f"too many indices for array: array is {source.ndim}-dimensional, but {given} were indexed")
    fill = [slice(None)] * (source.ndim - given)
    at = next((i for i, part in enumerate(parts) if part is Ellipsis), None)
    parts = [*parts, *fill] if at is None else [*parts[:at], *fill, *parts[at + 1 :]]
    positions, shape, axis, strides, whole = [0], [], 0, _strides(source.shape), True
    for part in parts:
        if part is None:
            shape.append(1)
            whole = False
            continue
        size, stride = source.shape[axis], strides[axis]
        axis += 1
        if isinstance(part, slice):
            indexes = range(*part.indices(size))
            shape.append(len(indexes))
            whole = False
        elif isinstance(part, (list, ndarray)):
            wanted = as_array(part)
            indexes = [int(index) for index in wanted.flat]
            shape.extend(wanted.shape)
            whole = False
        else:
            indexes = [operator.index(part)]
        for index in indexes:
            if not -size <= index < size:
                raise IndexError(f"index {index} is out of bounds for axis {axis - 1} with size {size}")
        positions = [p + (index % size) * stride for p in positions for index in indexes]
    return positions, None if whole else tuple(shape)
