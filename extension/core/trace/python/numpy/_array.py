"""Arrays of known numbers: enough to build tables that become tensors."""

import builtins
import math
import operator


class dtype:
    """An element type, by name."""

    def __init__(self, name):
        self.name = name

    def __str__(self):
        return self.name

    def __repr__(self):
        return f"dtype('{self.name}')"

    def __eq__(self, other):
        return str(self) == str(getattr(other, "__name__", other))

    def __hash__(self):
        return hash(self.name)


class generic:
    """Base of scalar types, for isinstance."""


class integer(generic):
    """Base of integer scalar types."""


def _scalar(kind_name, convert):
    class Scalar(generic):
        def __new__(cls, value=0):
            return convert(value)

    Scalar.__name__ = Scalar.__qualname__ = kind_name
    return Scalar


float16, float32, float64 = (_scalar(name, float) for name in ("float16", "float32", "float64"))
int8, int16, int32, int64 = (_scalar(name, int) for name in ("int8", "int16", "int32", "int64"))
uint8, uint16, bool_ = _scalar("uint8", int), _scalar("uint16", int), _scalar("bool", bool)


def _name(kind, values):
    if kind is None:
        return "float64" if any(isinstance(value, float) for value in values) else "int64"
    return {"float": "float64", "int": "int64"}.get(getattr(kind, "__name__", str(kind)), getattr(kind, "__name__", str(kind)))


class ndarray:
    """Numbers, row-major, with a shape."""

    def __init__(self, values, shape, kind):
        self.flat, self.shape, self.dtype = list(values), tuple(shape), dtype(str(kind))

    ndim = property(lambda self: len(self.shape))
    size = property(lambda self: math.prod(self.shape))

    def __len__(self):
        return self.shape[0]

    def tolist(self):
        return _nested(self.flat, self.shape)

    def item(self):
        return self.flat[0]

    def astype(self, kind):
        convert = int if "int" in _name(kind, ()) else float
        return ndarray([convert(value) for value in self.flat], self.shape, _name(kind, ()))

    def copy(self):
        return ndarray(self.flat, self.shape, self.dtype)

    def reshape(self, *shape):
        shape = list(shape[0] if isinstance(shape[0], (tuple, list)) else shape)
        if -1 in shape:
            shape[shape.index(-1)] = self.size // -math.prod(shape)
        return ndarray(self.flat, shape, self.dtype)

    def sum(self):
        return builtins.sum(self.flat)

    def mean(self):
        return self.sum() / self.size

    def max(self):
        return max(self.flat)

    def min(self):
        return min(self.flat)

    def __iter__(self):
        return (self[index] for index in range(len(self)))

    def __getitem__(self, key):
        if isinstance(key, int):
            key += len(self) if key < 0 else 0
            inner = math.prod(self.shape[1:])
            part = self.flat[key * inner : (key + 1) * inner]
            return part[0] if len(self.shape) == 1 else ndarray(part, self.shape[1:], self.dtype)
        if isinstance(key, slice):
            rows = [self[index] for index in range(*key.indices(len(self)))]
            return stack(rows) if rows and len(self.shape) > 1 else ndarray(rows, (len(rows), *self.shape[1:]), self.dtype)
        result = self
        for part in key:
            result = result[part]
        return result

    def __setitem__(self, key, value):
        if not isinstance(key, int) or len(self.shape) != 1:
            raise TypeError("only elements of one-dimensional arrays can be set while tracing")
        self.flat[key] = value

    def _binary(self, other, function):
        if isinstance(other, ndarray):
            if other.shape != self.shape:
                raise TypeError("arrays of different shapes cannot be combined while tracing")
            values = [function(a, b) for a, b in zip(self.flat, other.flat)]
        else:
            values = [function(a, other) for a in self.flat]
        return ndarray(values, self.shape, _name(None, values))

    def __neg__(self):
        return ndarray([-value for value in self.flat], self.shape, self.dtype)


for _symbol in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    _function = getattr(operator, _symbol)
    setattr(ndarray, f"__{_symbol}__", lambda self, other, f=_function: self._binary(other, f))
    setattr(ndarray, f"__r{_symbol}__", lambda self, other, f=_function: self._binary(other, lambda a, b: f(b, a)))


def _nested(flat, shape):
    if not shape:
        return flat[0]
    if len(shape) == 1:
        return list(flat)
    inner = math.prod(shape[1:])
    return [_nested(flat[i * inner : (i + 1) * inner], shape[1:]) for i in range(shape[0])]


def nbytes_of(array_):
    return array_.size * 8


def array(data, dtype=None, **_kwargs):
    if isinstance(data, ndarray):
        return data.copy() if dtype is None else data.astype(dtype)
    if hasattr(data, "tolist"):
        data = data.tolist()
    shape, flat, part = [], [data], data
    while isinstance(part, (list, tuple, range)):
        shape.append(len(part))
        flat = [item for row in flat for item in row]
        part = part[0] if len(part) else None
    if flat and isinstance(flat[0], ndarray):
        return stack(flat)
    made = ndarray(flat, shape, _name(None, flat))
    return made if dtype is None else made.astype(dtype)


asarray = array


def _filled(shape, value, kind):
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return ndarray([value] * math.prod(shape), shape, _name(kind, (value,)))


def zeros(shape, dtype=None):
    return _filled(shape, 0.0 if dtype is None or "float" in _name(dtype, ()) else 0, dtype)


def ones(shape, dtype=None):
    return _filled(shape, 1.0 if dtype is None or "float" in _name(dtype, ()) else 1, dtype)


def full(shape, fill_value, dtype=None):
    return _filled(shape, fill_value, dtype)


def arange(start, stop=None, step=1, dtype=None):
    start, stop = (0, start) if stop is None else (start, stop)
    values = [start + i * step for i in range(max(0, math.ceil((stop - start) / step)))]
    return array(values, dtype) if values else ndarray([], (0,), "int64")


def linspace(start, stop, num=50, dtype=None):
    step = (stop - start) / (num - 1) if num > 1 else 0.0
    return ndarray([float(start + i * step) for i in range(num)], (num,), "float64")


def stack(arrays):
    first = arrays[0] if isinstance(arrays[0], ndarray) else array(arrays[0])
    return ndarray([value for item in arrays for value in array(item).flat], (len(arrays), *first.shape), first.dtype)


def concatenate(arrays, axis=0):
    values = [value for item in arrays for value in array(item).flat]
    rows = builtins.sum(array(item).shape[0] for item in arrays)
    return ndarray(values, (rows, *array(arrays[0]).shape[1:]), array(arrays[0]).dtype)


def prod(values, *_args, **_kwargs):
    return math.prod(values.flat if isinstance(values, ndarray) else values)


def sum(values, *_args, **_kwargs):
    return builtins.sum(values.flat if isinstance(values, ndarray) else values)


def mean(values, *_args, **_kwargs):
    values = values.flat if isinstance(values, ndarray) else list(values)
    return builtins.sum(values) / len(values)
