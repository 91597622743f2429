"""Functions that make arrays, and functions of them."""

import math

from ._array import as_array, binary, broadcast, broadcast_shape, matmul, ndarray
from ._types import converter, name_of


def array(data, dtype=None, copy=True, ndmin=0):
    made = as_array(data, None if dtype is None else name_of(dtype))
    return made.copy() if made is data else made


def asarray(data, dtype=None):
    return as_array(data, None if dtype is None else name_of(dtype))


ascontiguousarray = asanyarray = asarray


def _filled(shape, value, kind):
    name = name_of(kind)
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return ndarray([converter(name)(value)] * math.prod(shape), shape, name)


def zeros(shape, dtype="float64"):
    return _filled(shape, 0, dtype or "float64")


def ones(shape, dtype="float64"):
    return _filled(shape, 1, dtype or "float64")


empty = zeros


def full(shape, fill_value, dtype=None):
    return _filled(shape, fill_value, dtype or as_array(fill_value).dtype)


def zeros_like(a, dtype=None):
    return zeros(as_array(a).shape, dtype or as_array(a).dtype)


def ones_like(a, dtype=None):
    return ones(as_array(a).shape, dtype or as_array(a).dtype)


empty_like = zeros_like


def full_like(a, fill_value, dtype=None):
    return full(as_array(a).shape, fill_value, dtype or as_array(a).dtype)


def eye(n, m=None, k=0, dtype="float64"):
    made = zeros((n, n if m is None else m), dtype)
    for row in range(n):
        if 0 <= row + k < made.shape[1]:
            made[row, row + k] = 1
    return made


identity = eye


def arange(start, stop=None, step=1, dtype=None):
    start, stop = (0, start) if stop is None else (start, stop)
    values = [start + i * step for i in range(max(0, math.ceil((stop - start) / step)))]
    kind = "int64" if all(isinstance(x, int) for x in (start, stop, step)) else "float64"
    return ndarray(values, (len(values),), kind) if dtype is None else ndarray(values, (len(values),), kind).astype(dtype)


def linspace(start, stop, num=50, endpoint=True, dtype=None):
    step = (stop - start) / max(1, num - 1 if endpoint else num)
    made = ndarray([float(start + i * step) for i in range(num)], (num,), "float64")
    if endpoint and num > 1:
        made.flat[-1] = float(stop)
    return made if dtype is None else made.astype(dtype)


def logspace(start, stop, num=50, endpoint=True, base=10.0):
    return base ** linspace(start, stop, num, endpoint)


def geomspace(start, stop, num=50):
    made = logspace(math.log10(start), math.log10(stop), num)
    made.flat[0], made.flat[-1] = float(start), float(stop)
    return made


# Shapes


def concatenate(arrays, axis=0, dtype=None):
    arrays = [as_array(item) for item in arrays]
    axis %= arrays[0].ndim
    shape = list(arrays[0].shape)
    shape[axis] = sum(item.shape[axis] for item in arrays)
    inner = math.prod(shape[axis + 1 :])
    values = []
    for outer in range(math.prod(shape[:axis])):
        for item in arrays:
            step = item.shape[axis] * inner
            values.extend(item.flat[outer * step : (outer + 1) * step])
    kind = "float64" if any("float" in item.dtype.name for item in arrays) else arrays[0].dtype
    return ndarray(values, shape, kind)


def stack(arrays, axis=0):
    arrays = [as_array(item) for item in arrays]
    return concatenate([expand_dims(item, axis) for item in arrays], axis)


def expand_dims(a, axis):
    a = as_array(a)
    shape = list(a.shape)
    shape.insert(axis if axis >= 0 else axis + a.ndim + 1, 1)
    return a.reshape(shape)


def reshape(a, shape):
    return as_array(a).reshape(shape)


def transpose(a, axes=None):
    return as_array(a).transpose(*(axes or ()))


def squeeze(a, axis=None):
    return as_array(a).squeeze(axis)


def broadcast_to(a, shape):
    return broadcast(as_array(a), shape)


def tile(a, reps):
    a = as_array(a)
    reps = (reps,) if isinstance(reps, int) else tuple(reps)
    a = a.reshape((1,) * (len(reps) - a.ndim) + a.shape)
    for axis, count in enumerate((1,) * (a.ndim - len(reps)) + reps):
        a = concatenate([a] * count, axis)
    return a


def repeat(a, repeats, axis=None):
    a = as_array(a) if axis is not None else as_array(a).reshape(-1)
    axis = 0 if axis is None else axis % a.ndim
    key = [index for index in range(a.shape[axis]) for _ in range(repeats)]
    return a[(slice(None),) * axis + (key,)]


def flip(a, axis=None):
    a = as_array(a)
    axes = range(a.ndim) if axis is None else (axis % a.ndim,)
    return a[tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(a.ndim))]


def meshgrid(*arrays, indexing="xy"):
    arrays = [as_array(item) for item in arrays]
    shape = tuple(item.size for item in arrays)
    grids = [
        broadcast(item.reshape([-1 if i == axis else 1 for i in range(len(arrays))]), shape)
        for axis, item in enumerate(arrays)
    ]
    return grids if indexing == "ij" or len(arrays) < 2 else [grid.transpose(1, 0, *range(2, grid.ndim)) for grid in grids]


def tril(a, k=0):
    return _triangle(a, lambda row, column: column <= row + k)


def triu(a, k=0):
    return _triangle(a, lambda row, column: column >= row + k)


def _triangle(a, keeps):
    a = as_array(a)
    rows, columns = a.shape[-2:]
    values = [v if keeps(i // columns % rows, i % columns) else 0 * v for i, v in enumerate(a.flat)]
    return ndarray(values, a.shape, a.dtype)


def diag(a, k=0):
    a = as_array(a)
    if a.ndim == 2:
        return array([a[i, i + k] for i in range(a.shape[0]) if 0 <= i + k < a.shape[1]])
    made = zeros((a.size + abs(k), a.size + abs(k)), a.dtype)
    for i, value in enumerate(a.flat):
        made[i + max(0, -k), i + max(0, k)] = value
    return made


# Reductions and products


def _reduction(name):
    def apply(a, axis=None, *rest, **options):
        return getattr(as_array(a), name)(axis, *rest, **options)

    apply.__name__ = name
    return apply


sum_, mean, var, std, amax, amin, prod, argmax, argmin, cumsum, all_, any_ = map(
    _reduction, ("sum", "mean", "var", "std", "max", "min", "prod", "argmax", "argmin", "cumsum", "all", "any")
)
dot = matmul


def outer(a, b):
    return as_array(a).reshape(-1, 1) * as_array(b).reshape(1, -1)


def einsum(*_args):
    raise TypeError("numpy.einsum is not available while tracing; use torch.einsum")


# Element by element


def pointwise(function, result=None):
    """A function of numbers, of arrays too; of tensors it is the method of its name. `result`: its type, if not x's."""

    def apply(x, *rest, dtype=None):
        if hasattr(x, "_storage"):
            return getattr(x, function.__name__)(*rest)
        if isinstance(x, (ndarray, list, tuple)):
            x = as_array(x)
            kind = (x.dtype if function in (abs, round) or x.dtype == "float32" else "float64") if result is None else result
            return ndarray(map(converter(name_of(kind)), (function(value, *rest) for value in x.flat)), x.shape, kind)
        return function(x, *rest)

    apply.__name__ = function.__name__
    return apply


def power(x, y):
    return binary(lambda a, b: a**b, x, y)


def add(x, y):
    return binary(lambda a, b: a + b, x, y)


def subtract(x, y):
    return binary(lambda a, b: a - b, x, y)


def multiply(x, y):
    return binary(lambda a, b: a * b, x, y)


def divide(x, y):
    return binary(lambda a, b: a / b, x, y)


def maximum(a, b):
    return binary(max, a, b)


def minimum(a, b):
    return binary(min, a, b)


def clip(x, low, high):
    x = x if low is None else maximum(x, low)
    return x if high is None else minimum(x, high)


def mod(x, y):
    return binary(lambda a, b: a % b, x, y)


def where(condition, x=None, y=None):
    condition = as_array(condition)
    if x is None:
        places = [i for i, value in enumerate(condition.flat) if value]
        steps = [math.prod(condition.shape[axis + 1 :]) for axis in range(condition.ndim)]
        return tuple(
            ndarray([p // step % size for p in places], (len(places),), "int64")
            for step, size in zip(steps, condition.shape)
        )
    x, y = as_array(x), as_array(y)
    shape = broadcast_shape(broadcast_shape(condition.shape, x.shape), y.shape)
    kind = "float64" if "float" in x.dtype.name + y.dtype.name else x.dtype
    chosen = zip(*(broadcast(item, shape).flat for item in (condition, x, y)))
    return ndarray([a if flag else b for flag, a, b in chosen], shape, kind)


def allclose(a, b, rtol=1e-5, atol=1e-8):
    return binary(lambda x, y: abs(x - y) <= atol + rtol * abs(y), as_array(a), b, "bool").all()


def array_equal(a, b):
    a, b = as_array(a), as_array(b)
    return a.shape == b.shape and a.flat == b.flat
